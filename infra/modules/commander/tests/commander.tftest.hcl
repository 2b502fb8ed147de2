# The provider is a mock: nothing here reaches AWS. What AWS would say of its own is in mock_data.

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
  fleets = ["hub"]
  # Any file serves: nothing is uploaded.
  lambda_packages = { for function in jsondecode(file("../../../lambdas/manifest.json")).functions : function.name => "main.tf" }
}

run "a_small_account_reserves_no_concurrency" {
  command = plan
  variables {
    reserve_concurrency = false
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.reserved_concurrent_executions == -1])
    error_message = "Nothing is reserved."
  }
}

run "a_sign_table_that_is_there_is_adopted" {
  command = plan
  variables {
    create_sign_table = false
  }
  assert {
    condition     = length(aws_dynamodb_table.sign) == 0 && length(data.aws_dynamodb_table.sign) == 1
    error_message = "No second table is made."
  }
}
