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
  mock_data "aws_iot_endpoint" {
    defaults = { endpoint_address = "abc123-ats.iot.eu-central-1.amazonaws.com" }
  }
  mock_data "aws_subnet" {
    defaults = { map_public_ip_on_launch = false, vpc_id = "vpc-1", availability_zone = "eu-central-1a" }
  }
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-1" }
  }
  mock_resource "aws_instance" {
    defaults = { public_ip = "" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:mock" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:beam-alerts" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/beam-sign" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0b1c2d3e-0000-4000-8000-000000000000" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }
}

variables {
  chain = {
    id      = "cosmoshub-4"
    genesis = { url = "https://example.com/genesis.json.gz", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  }
  gaiad = { url = "https://example.com/gaiad", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
  beam  = { url = "https://example.com/beam_0.1.0_arm64.deb", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
}

override_data {
  target = module.validators.data.aws_subnet.this["b"]
  values = { id = "subnet-b", availability_zone = "eu-central-1b", map_public_ip_on_launch = false, vpc_id = "vpc-1" }
}

run "a_whole_fleet" {
  command = plan
  variables {
    consensus_key = "kms"
  }
  assert {
    condition     = length(output.validator_instances) == 2 && length(output.sentry_addresses) == 2
    error_message = "Two validators, two sentries."
  }
  assert {
    condition     = length(output.consensus_key_arns) == 1
    error_message = "A KMS key for the fleet."
  }
}

run "one_zone" {
  command = plan
  variables {
    zones = ["eu-central-1a"]
  }
  expect_failures = [var.zones]
}
