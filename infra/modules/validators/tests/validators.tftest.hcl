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
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0b1c2d3e-0000-4000-8000-000000000000" }
  }
  mock_resource "aws_instance" {
    defaults = { public_ip = "" }
  }
}

variables {
  fleet                = "hub"
  mqtt_endpoint        = "abc123-ats.iot.eu-central-1.amazonaws.com:8883"
  region               = "eu-central-1"
  credentials_endpoint = "abc123.credentials.iot.eu-central-1.amazonaws.com:443"
  chain = {
    id      = "cosmoshub-4"
    genesis = { url = "https://example.com/genesis.json.gz", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  }
  gaiad                    = { url = "https://example.com/gaiad", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  beam                     = { url = "https://example.com/beam_0.1.0_arm64.deb", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  vpc_id                   = "vpc-1"
  sentry_security_group_id = "sg-1"
  validators = {
    a = { zone = "eu-central-1a", subnet_id = "subnet-a" }
    b = { zone = "eu-central-1b", subnet_id = "subnet-b" }
  }
}

override_data {
  target = data.aws_subnet.this["a"]
  values = { id = "subnet-x", availability_zone = "eu-central-1a", map_public_ip_on_launch = false, vpc_id = "vpc-1" }
}

override_data {
  target = data.aws_subnet.this["b"]
  values = { id = "subnet-x", availability_zone = "eu-central-1b", map_public_ip_on_launch = false, vpc_id = "vpc-1" }
}

run "data_from_a_snapshot" {
  command = apply
  variables {
    data_snapshot_id = "snap-0123456789abcdef0"
  }
  assert {
    condition     = alltrue([for node, volume in aws_ebs_volume.data : volume.snapshot_id == "snap-0123456789abcdef0" && volume.availability_zone == var.validators[node].zone && volume.encrypted])
    error_message = "Each validator's volume is in its zone, from the snapshot, encrypted."
  }
  assert {
    condition     = length(aws_kms_key.consensus) == 0 && length(output.consensus_key_arns) == 0
    error_message = "A key file is no KMS key."
  }
}
