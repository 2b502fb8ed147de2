# Each line of wrong input is refused before the first call to AWS. The provider is a mock.

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
  mock_data "aws_iot_endpoint" {
    defaults = { endpoint_address = "abc123-ats.iot.eu-central-1.amazonaws.com" }
  }
  mock_data "aws_dynamodb_table" {
    defaults = { hash_key = "key", range_key = "", deletion_protection_enabled = true, replica = [], ttl = [] }
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
}

variables {
  fleets          = ["hub"]
  lambda_packages = { for function in jsondecode(file("../../../lambdas/manifest.json")).functions : function.name => "main.tf" }
}

run "a_fleet_name_that_aws_would_refuse" {
  command = plan
  variables {
    fleets = ["hub", "My Fleet!"]
  }
  expect_failures = [var.fleets]
}

run "a_fleet_name_that_is_too_long" {
  command = plan
  variables {
    fleets = ["a-name-that-has-more-than-32-letters"]
  }
  expect_failures = [var.fleets]
}

run "no_certificate_of_awss" {
  command = plan
  variables {
    instance_certificates = "MIIDIjCCAougAwIBAgIJ"
  }
  expect_failures = [var.instance_certificates]
}

run "no_fleet" {
  command = plan
  variables {
    fleets = []
  }
  expect_failures = [var.fleets]
}

run "a_package_that_is_not_there" {
  command = plan
  variables {
    lambda_packages = { roles = "no-such-file.zip" }
  }
  expect_failures = [var.lambda_packages]
}

run "a_function_without_a_package" {
  command = plan
  variables {
    lambda_packages = { for function in jsondecode(file("../../../lambdas/manifest.json")).functions : function.name => "main.tf" if function.name != "roles" }
  }
  expect_failures = [aws_lambda_function.this["roles"]]
}

run "a_sign_table_with_replicas" {
  command = plan
  variables {
    create_sign_table = false
  }
  override_data {
    target = data.aws_dynamodb_table.sign
    values = { hash_key = "key", range_key = "", deletion_protection_enabled = true, replica = [{ region_name = "eu-west-1" }], ttl = [] }
  }
  expect_failures = [data.aws_dynamodb_table.sign]
}

run "a_sign_table_with_ttl" {
  command = plan
  variables {
    create_sign_table = false
  }
  override_data {
    target = data.aws_dynamodb_table.sign
    values = { hash_key = "key", range_key = "", deletion_protection_enabled = true, replica = [], ttl = [{ attribute_name = "until", enabled = true }] }
  }
  expect_failures = [data.aws_dynamodb_table.sign]
}

run "a_sign_table_that_may_be_deleted" {
  command = plan
  variables {
    create_sign_table = false
  }
  override_data {
    target = data.aws_dynamodb_table.sign
    values = { hash_key = "key", range_key = "", deletion_protection_enabled = false, replica = [], ttl = [] }
  }
  expect_failures = [data.aws_dynamodb_table.sign]
}

run "a_table_that_is_no_sign_table" {
  command = plan
  variables {
    create_sign_table = false
  }
  override_data {
    target = data.aws_dynamodb_table.sign
    values = { hash_key = "fleet", range_key = "", deletion_protection_enabled = true, replica = [], ttl = [] }
  }
  expect_failures = [data.aws_dynamodb_table.sign]
}

run "an_alias_for_a_key" {
  command = plan
  variables {
    consensus_key_arns = ["arn:aws:kms:eu-central-1:123456789012:alias/hub"]
  }
  expect_failures = [var.consensus_key_arns]
}

run "a_runtime_that_was_not_tested" {
  command = plan
  variables {
    lambda_runtime = "nodejs18.x"
  }
  expect_failures = [var.lambda_runtime]
}

run "a_retention_that_cloudwatch_has_not" {
  command = plan
  variables {
    log_retention_days = 42
  }
  expect_failures = [var.log_retention_days]
}

run "an_address_that_is_none" {
  command = plan
  variables {
    alert_emails = ["ops"]
  }
  expect_failures = [var.alert_emails]
}
