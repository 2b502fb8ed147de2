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

run "rendered" {
  command = plan
  variables {
    consensus_key = "kms"
  }
  assert {
    condition     = alltrue([for instance in aws_instance.this : !instance.associate_public_ip_address && instance.disable_api_termination])
    error_message = "No validator has a public address, and none is ended by a slip."
  }
  assert {
    condition     = alltrue([for instance in aws_instance.this : instance.metadata_options[0].http_tokens == "required" && instance.root_block_device[0].encrypted])
    error_message = "Metadata needs a token; volumes are encrypted."
  }
  assert {
    condition     = aws_kms_key.consensus[0].customer_master_key_spec == "ECC_NIST_EDWARDS25519" && !aws_kms_key.consensus[0].multi_region
    error_message = "The consensus key is Ed25519, of one region."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.p2p : rule.from_port == 26656]) && alltrue([for rule in aws_vpc_security_group_egress_rule.out : rule.from_port != 26656])
    error_message = "Validators speak p2p with the fleet alone."
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "dynamodb") && !strcontains(aws_iam_role_policy.this.policy, "kms")
    error_message = "Record and key are the signer's by its certificate, not the machine's."
  }
}
