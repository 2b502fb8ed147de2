# Sentries face the internet: an auto scaling group over the zones, an Elastic IP for each, and no way to the sign record.

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

locals {
  name    = "beam-sentry-${var.fleet}"
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  arn     = "arn:${data.aws_partition.current.partition}"
  ami     = var.ami_id == null ? data.aws_ami.debian[0].id : var.ami_id
  tags    = merge(var.tags, { "beam:fleet" = var.fleet, "beam:kind" = "sentry" })
}

module "server" {
  source = "../server"

  fleet           = var.fleet
  kind            = "sentry"
  chain           = var.chain
  gaiad           = var.gaiad
  beam            = var.beam
  node_js         = var.node_js
  mqtt_endpoint   = var.mqtt_endpoint
  region          = var.region
  claim_parameter = var.claim_parameter
  mode            = var.mode
}

# A sentry may take one of its fleet's addresses and read the claim. It has no role alias, and the sign table's own policy bars it.
resource "aws_iam_role" "this" {
  name        = local.name
  description = "Sentries of the fleet ${var.fleet}"
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
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["ssm:GetParameter"]
        Resource = [for part in ["certificate", "key"] : "${local.arn}:ssm:${local.region}:${local.account}:parameter${var.claim_parameter}/${part}"]
      },
      {
        Effect   = "Allow"
        Action   = ["ec2:DescribeAddresses"]
        Resource = "*"
      },
      {
        Effect    = "Allow"
        Action    = ["ec2:AssociateAddress"]
        Resource  = ["${local.arn}:ec2:${local.region}:${local.account}:elastic-ip/*", "${local.arn}:ec2:${local.region}:${local.account}:instance/*"]
        Condition = { StringEquals = { "aws:ResourceTag/beam:fleet" = var.fleet, "aws:ResourceTag/beam:kind" = "sentry" } }
      },
    ]
  })
}

resource "aws_iam_instance_profile" "this" {
  name = local.name
  role = aws_iam_role.this.name
  tags = local.tags
}

resource "aws_eip" "this" {
  for_each = var.nodes

  domain = "vpc"
  tags   = merge(local.tags, { Name = "${local.name}-${each.key}", "beam:node" = each.key })
}

resource "aws_security_group" "this" {
  name        = local.name
  description = "Sentries of the fleet ${var.fleet}"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = local.name })
}

resource "aws_vpc_security_group_ingress_rule" "p2p" {
  security_group_id = aws_security_group.this.id
  description       = "The chain's peers, and the fleet's validators"
  ip_protocol       = "tcp"
  from_port         = 26656
  to_port           = 26656
  cidr_ipv4         = "0.0.0.0/0"
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

# Peers listen on ports of their own choice.
resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.this.id
  description       = "Peers, AWS, packages"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_launch_template" "this" {
  name                   = local.name
  description            = "A sentry of the fleet ${var.fleet}"
  image_id               = local.ami
  instance_type          = var.instance_type
  key_name               = var.ssh_key_name
  user_data              = module.server.user_data_base64
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.this.id]
  tags                   = local.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      encrypted             = "true"
      kms_key_id            = var.volume_kms_key_arn
      volume_size           = var.volume_gb
      volume_type           = "gp3"
      delete_on_termination = "true"
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(local.tags, { Name = local.name })
  }

  tag_specifications {
    resource_type = "volume"
    tags          = merge(local.tags, { Name = local.name })
  }
}

resource "aws_autoscaling_group" "this" {
  name                = local.name
  min_size            = length(var.nodes)
  max_size            = length(var.nodes)
  desired_capacity    = length(var.nodes)
  vpc_zone_identifier = values(var.subnet_ids)
  health_check_type   = "EC2"
  # A new template is no reason to take the sentries away: `aws autoscaling start-instance-refresh` does it when you mean it.
  suspended_processes = ["AZRebalance"]

  launch_template {
    id      = aws_launch_template.this.id
    version = "$Latest"
  }

  dynamic "tag" {
    for_each = merge(local.tags, { Name = local.name })
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  depends_on = [aws_eip.this, aws_iam_role_policy.this]
}
