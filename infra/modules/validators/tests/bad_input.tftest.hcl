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

run "one_zone" {
  command = plan
  variables {
    validators = {
      a = { zone = "eu-central-1a", subnet_id = "subnet-a" }
      b = { zone = "eu-central-1a", subnet_id = "subnet-a" }
    }
  }
  override_data {
    target = data.aws_subnet.this["b"]
    values = { id = "subnet-x", availability_zone = "eu-central-1a", map_public_ip_on_launch = false, vpc_id = "vpc-1" }
  }
  expect_failures = [var.validators]
}

run "one_validator" {
  command = plan
  variables {
    validators = { a = { zone = "eu-central-1a", subnet_id = "subnet-a" } }
  }
  expect_failures = [var.validators]
}

run "a_subnet_that_gives_public_addresses" {
  command = plan
  override_data {
    target = data.aws_subnet.this["b"]
    values = { id = "subnet-x", availability_zone = "eu-central-1b", map_public_ip_on_launch = true, vpc_id = "vpc-1" }
  }
  expect_failures = [data.aws_subnet.this["b"]]
}

run "a_subnet_in_another_zone" {
  command = plan
  override_data {
    target = data.aws_subnet.this["b"]
    values = { id = "subnet-x", availability_zone = "eu-central-1a", map_public_ip_on_launch = false, vpc_id = "vpc-1" }
  }
  expect_failures = [data.aws_subnet.this["b"]]
}

run "a_subnet_in_another_vpc" {
  command = plan
  override_data {
    target = data.aws_subnet.this["a"]
    values = { id = "subnet-x", availability_zone = "eu-central-1a", map_public_ip_on_launch = false, vpc_id = "vpc-2" }
  }
  expect_failures = [data.aws_subnet.this["a"]]
}

run "a_validator_with_a_public_address" {
  command = apply
  override_resource {
    target = aws_instance.this["a"]
    values = { public_ip = "203.0.113.7" }
  }
  expect_failures = [aws_instance.this["a"]]
}

run "a_snapshot_that_is_none" {
  command = plan
  variables {
    data_snapshot_id = "vol-1"
  }
  expect_failures = [var.data_snapshot_id]
}

run "a_volume_that_gp3_has_not" {
  command = plan
  variables {
    data_volume = { iops = 100 }
  }
  expect_failures = [var.data_volume]
}

run "a_key_that_there_is_not" {
  command = plan
  variables {
    consensus_key = "hsm"
  }
  expect_failures = [var.consensus_key]
}

run "an_architecture_that_there_is_not" {
  command = plan
  variables {
    architecture = "x86_64"
  }
  expect_failures = [var.architecture]
}

run "a_name_that_aws_would_refuse" {
  command = plan
  variables {
    validators = {
      A_1 = { zone = "eu-central-1a", subnet_id = "subnet-a" }
      b   = { zone = "eu-central-1b", subnet_id = "subnet-b" }
    }
  }
  override_data {
    target = data.aws_subnet.this["A_1"]
    values = { id = "subnet-x", availability_zone = "eu-central-1a", map_public_ip_on_launch = false, vpc_id = "vpc-1" }
  }
  expect_failures = [var.validators]
}
