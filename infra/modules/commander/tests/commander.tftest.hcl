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

run "alarms_cost_nothing_by_default" {
  command = plan
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_metric_alarm.sweep) + length(local.rules_watched) == 10
    error_message = "An account has 10 alarm metrics for nothing, and bench/cost counts on that."
  }
  assert {
    condition     = alltrue([for name in ["beam-dead-letters", "beam-sign-table-throttled", "beam-sign-table-errors", "beam-provision-errors"] : contains(keys(aws_cloudwatch_metric_alarm.this), name)])
    error_message = "What nothing else shows has an alarm."
  }
}

run "alarms_of_each_function_and_rule" {
  command = plan
  variables {
    alarms_of_each = true
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 3 + 2 * length(aws_lambda_function.this) && length(local.rules_watched) == length(aws_iot_topic_rule.this)
    error_message = "Errors and throttling of each function, lost messages of each rule."
  }
}
