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

run "one_zone" {
  command = plan
  variables {
    subnet_ids = { eu-central-1a = "subnet-a" }
  }
  expect_failures = [var.subnet_ids]
}

run "one_sentry" {
  command = plan
  variables {
    nodes = ["s1"]
  }
  expect_failures = [var.nodes]
}

run "a_name_that_aws_would_refuse" {
  command = plan
  variables {
    nodes = ["s1", "S2"]
  }
  expect_failures = [var.nodes]
}

run "a_volume_that_is_too_small" {
  command = plan
  variables {
    volume_gb = 8
  }
  expect_failures = [var.volume_gb]
}

run "an_architecture_that_there_is_not" {
  command = plan
  variables {
    architecture = "x86_64"
  }
  expect_failures = [var.architecture]
}
