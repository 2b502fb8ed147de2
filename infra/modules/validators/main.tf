# Validators: an active and a standby, each a machine of its own in a zone of its own, without a public address. Key, identity and
# signer state are on its root volume; the chain's data is on a volume that may come from a snapshot.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}
data "aws_partition" "current" {}

data "aws_ami" "debian" {
  count = var.ami_id == null ? 1 : 0

  owners      = ["136693071363"]
  most_recent = true

  filter {
    name   = "name"
    values = ["debian-13-${var.architecture}-*"]
  }
}

data "aws_subnet" "this" {
  for_each = var.validators

  id = each.value.subnet_id

  lifecycle {
    postcondition {
      condition     = !self.map_public_ip_on_launch
      error_message = "The subnet ${self.id} of validator ${each.key} gives public addresses: a validator is reached by its sentries alone, so choose a private subnet (output private_subnet_ids of modules/network)."
    }
    postcondition {
      condition     = self.availability_zone == each.value.zone
      error_message = "The subnet ${self.id} of validator ${each.key} is in ${self.availability_zone}, not in ${each.value.zone}: correct `zone` or `subnet_id` in `validators`."
    }
    postcondition {
      condition     = self.vpc_id == var.vpc_id
      error_message = "The subnet ${self.id} of validator ${each.key} is in another VPC than `vpc_id`: choose one of the same VPC."
    }
  }
}

locals {
  name    = "beam-validator-${var.fleet}"
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  arn     = "arn:${data.aws_partition.current.partition}"
  ami     = var.ami_id == null ? data.aws_ami.debian[0].id : var.ami_id
  tags    = merge(var.tags, { "beam:fleet" = var.fleet, "beam:kind" = "validator" })
  key_arn = var.consensus_key == "kms" ? aws_kms_key.consensus[0].arn : null
}

module "server" {
  source   = "../server"
  for_each = var.validators

  fleet                = var.fleet
  kind                 = "validator"
  node                 = each.key
  chain                = var.chain
  gaiad                = var.gaiad
  beam                 = var.beam
  node_js              = var.node_js
  mqtt_endpoint        = var.mqtt_endpoint
  credentials_endpoint = var.credentials_endpoint
  region               = var.region
  claim_parameter      = var.claim_parameter
  mode                 = var.mode
  data_volume_id       = aws_ebs_volume.data[each.key].id
  consensus_key_arn    = local.key_arn
}

# The machine itself may read the claim. The record and the KMS key are the signer's, by its certificate's role alias.
resource "aws_iam_role" "this" {
  name        = local.name
  description = "Validators of the fleet ${var.fleet}"
  tags        = local.tags
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "beam"
  role = aws_iam_role.this.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["ssm:GetParameter"]
      Resource = [for part in ["certificate", "key"] : "${local.arn}:ssm:${local.region}:${local.account}:parameter${var.claim_parameter}/${part}"]
    }]
  })
}

resource "aws_iam_instance_profile" "this" {
  name = local.name
  role = aws_iam_role.this.name
  tags = local.tags
}

resource "aws_security_group" "this" {
  name        = local.name
  description = "Validators of the fleet ${var.fleet}"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = local.name })
}

locals {
  peers = { sentries = var.sentry_security_group_id, validators = aws_security_group.this.id }
}

resource "aws_vpc_security_group_ingress_rule" "p2p" {
  for_each = local.peers

  security_group_id            = aws_security_group.this.id
  description                  = "The fleet's ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 26656
  to_port                      = 26656
  referenced_security_group_id = each.value
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = var.ssh_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = "Operators"
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
  referenced_security_group_id = each.key
}

resource "aws_vpc_security_group_egress_rule" "p2p" {
  for_each = local.peers

  security_group_id            = aws_security_group.this.id
  description                  = "The fleet's ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 26656
  to_port                      = 26656
  referenced_security_group_id = each.value
}

# AWS's APIs and downloads, MQTT, Debian's packages. The chain's peers are out of reach but for the sentries. (DNS and time are the
# VPC's own, which security groups let through.)
resource "aws_vpc_security_group_egress_rule" "out" {
  for_each = { https = 443, mqtt = 8883, packages = 80 }

  security_group_id = aws_security_group.this.id
  description       = each.key
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_ebs_volume" "data" {
  for_each = var.validators

  availability_zone = each.value.zone
  snapshot_id       = var.data_snapshot_id
  size              = var.data_volume.size_gb
  type              = "gp3"
  iops              = var.data_volume.iops
  throughput        = var.data_volume.throughput_mbps
  encrypted         = true
  kms_key_id        = var.volume_kms_key_arn
  tags              = merge(local.tags, { Name = "${local.name}-${each.key}-data", "beam:node" = each.key })

  lifecycle {
    # A newer snapshot is for new validators.
    ignore_changes = [snapshot_id]
  }
}

resource "aws_instance" "this" {
  for_each = var.validators

  ami                         = local.ami
  instance_type               = var.instance_type
  subnet_id                   = data.aws_subnet.this[each.key].id
  vpc_security_group_ids      = [aws_security_group.this.id]
  iam_instance_profile        = aws_iam_instance_profile.this.name
  key_name                    = var.ssh_key_name
  associate_public_ip_address = false
  disable_api_termination     = true
  user_data_base64            = module.server[each.key].user_data_base64
  tags                        = merge(local.tags, { Name = "${local.name}-${each.key}", "beam:node" = each.key })

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted             = true
    kms_key_id            = var.volume_kms_key_arn
    volume_type           = "gp3"
    volume_size           = 30
    delete_on_termination = true
  }

  lifecycle {
    # Another image or script must never replace a machine that holds signer state: a new validator is a new entry in `validators`.
    ignore_changes = [ami, user_data_base64]

    postcondition {
      condition     = self.public_ip == null || self.public_ip == ""
      error_message = "Validator ${each.key} has the public address ${self.public_ip}: a validator is reached by its sentries alone. Take the address away and look at its subnet."
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_volume_attachment" "data" {
  for_each = var.validators

  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data[each.key].id
  instance_id = aws_instance.this[each.key].id
}

# One key for all validators of the fleet, in this region alone: no host can export it, and no other region's copy can sign.
resource "aws_kms_key" "consensus" {
  count = var.consensus_key == "kms" ? 1 : 0

  description              = "Consensus key of the fleet ${var.fleet} on ${var.chain.id}"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_EDWARDS25519"
  multi_region             = false
  deletion_window_in_days  = 30
  tags                     = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TheAccountsPoliciesSayWhoMay"
        Effect    = "Allow"
        Principal = { AWS = "${local.arn}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "BeamsRolesSignAndNoMore"
        Effect    = "Deny"
        Principal = "*"
        NotAction = ["kms:GetPublicKey", "kms:Sign"]
        Resource  = "*"
        Condition = { ArnLike = { "aws:PrincipalArn" = "${local.arn}:iam::${local.account}:role/beam-*" } }
      },
    ]
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "consensus" {
  count = var.consensus_key == "kms" ? 1 : 0

  name          = "alias/beam-${var.fleet}"
  target_key_id = aws_kms_key.consensus[0].key_id
}
