# Commander for servers that stand elsewhere (bare metal, another cloud): they need Beam's package and a way to AWS IoT, no EC2.

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
}

variable "region" {
  description = "Region of Commander and the sign record: near the validators, as each signature waits for one write to it."
  type        = string
  default     = "eu-central-1"
}

variable "fleets" {
  description = "Names of the fleets."
  type        = set(string)
  default     = ["hub"]
}

variable "alert_emails" {
  description = "Who gets alarms."
  type        = set(string)
  default     = []
}

variable "lambdas" {
  description = "Folder of the functions' zips. Null: dist/lambdas of this checkout."
  type        = string
  default     = null
}

locals {
  # `npm run bundle` writes them.
  lambdas = coalesce(var.lambdas, "${path.root}/../../../dist/lambdas")
}

module "commander" {
  source = "../../modules/commander"

  fleets       = var.fleets
  alert_emails = var.alert_emails
  lambda_packages = {
    for file in fileset(local.lambdas, "*.zip") : trimsuffix(file, ".zip") => "${local.lambdas}/${file}"
  }
}

output "mqtt_endpoint" {
  description = "For `beam init --mqtt` on the servers."
  value       = module.commander.mqtt_endpoint
}

output "credentials_endpoint" {
  description = "For `beam init --credential-provider` on the validators."
  value       = module.commander.credentials_endpoint
}

output "alerts_topic_arn" {
  description = "Subscribe PagerDuty, chat or a webhook to it."
  value       = module.commander.alerts_topic_arn
}
