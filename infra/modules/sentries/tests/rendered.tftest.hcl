# The provider is a mock: nothing here reaches AWS.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_ami" {
    defaults = { id = "ami-0123456789abcdef0" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/mock" }
  }
}

variables {
  fleet         = "hub"
  mqtt_endpoint = "abc123-ats.iot.eu-central-1.amazonaws.com:8883"
  region        = "eu-central-1"
  chain = {
    id      = "cosmoshub-4"
    genesis = { url = "https://example.com/genesis.json.gz", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  }
  gaiad      = { url = "https://example.com/gaiad", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  beam       = { url = "https://example.com/beam_0.1.0_arm64.deb", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  vpc_id     = "vpc-1"
  subnet_ids = { eu-central-1a = "subnet-a", eu-central-1b = "subnet-b" }
}

run "rendered" {
  command = plan
  assert {
    condition     = toset([for eip in aws_eip.this : eip.tags["beam:node"]]) == toset(["s1", "s2"]) && alltrue([for eip in aws_eip.this : eip.tags["beam:fleet"] == "hub"])
    error_message = "Each address has a sentry's name."
  }
  assert {
    condition     = aws_autoscaling_group.this.min_size == 2 && aws_autoscaling_group.this.vpc_zone_identifier == toset(["subnet-a", "subnet-b"])
    error_message = "As many sentries as names, over the zones."
  }
  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.block_device_mappings[0].ebs[0].encrypted == "true"
    error_message = "Metadata needs a token; volumes are encrypted."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "dynamodb") && startswith(aws_iam_role.this.name, "beam-sentry-")
    error_message = "A sentry has no right to the record, and the name by which the sign table's policy bars it."
  }
}
