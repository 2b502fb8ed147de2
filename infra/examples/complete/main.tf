# A whole fleet on AWS: Commander, a network over the zones, sentries, an active and a standby validator.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "beam" }
  }
}

locals {
  server = {
    fleet         = var.fleet
    chain         = var.chain
    gaiad         = var.gaiad
    beam          = var.beam
    mqtt_endpoint = module.commander.mqtt_endpoint
    region        = module.commander.region
  }
}

locals {
  # `npm run bundle` writes them.
  lambdas = coalesce(var.lambdas, "${path.root}/../../../dist/lambdas")
}

module "commander" {
  source = "../../modules/commander"

  fleets                = [var.fleet]
  alert_emails          = var.alert_emails
  consensus_key_arns    = module.validators.consensus_key_arns
  instance_certificates = var.instance_certificates
  lambda_packages = {
    for file in fileset(local.lambdas, "*.zip") : trimsuffix(file, ".zip") => "${local.lambdas}/${file}"
  }
}

module "network" {
  source = "../../modules/network"

  name  = "beam-${var.fleet}"
  zones = var.zones
}

module "sentries" {
  source = "../../modules/sentries"

  fleet         = local.server.fleet
  chain         = local.server.chain
  gaiad         = local.server.gaiad
  beam          = local.server.beam
  mqtt_endpoint = local.server.mqtt_endpoint
  region        = local.server.region

  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.public_subnet_ids
}

module "validators" {
  source = "../../modules/validators"

  fleet         = local.server.fleet
  chain         = local.server.chain
  gaiad         = local.server.gaiad
  beam          = local.server.beam
  mqtt_endpoint = local.server.mqtt_endpoint
  region        = local.server.region

  credentials_endpoint = module.commander.credentials_endpoint

  vpc_id                   = module.network.vpc_id
  sentry_security_group_id = module.sentries.security_group_id
  data_snapshot_id         = var.data_snapshot_id
  consensus_key            = var.consensus_key
  validators = {
    a = { zone = var.zones[0], subnet_id = module.network.private_subnet_ids[var.zones[0]] }
    b = { zone = var.zones[1], subnet_id = module.network.private_subnet_ids[var.zones[1]] }
  }
}
