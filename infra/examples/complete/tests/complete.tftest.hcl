# The provider is a mock: nothing here reaches AWS.

mock_provider "aws" {
  source = "../../mocks"
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
