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

# Its plan is what infra/rendered.test.ts compares with the local cloud's reading, and what parliament judges.
run "rendered" {
  command = plan

  variables {
    consensus_key_arns = ["arn:aws:kms:eu-central-1:123456789012:key/0b1c2d3e-0000-4000-8000-000000000000"]
    alert_emails       = ["ops@example.com"]
  }

  assert {
    condition     = length(aws_iot_topic_rule.this) == length(fileset("../../../cloud-rules/rules", "*.json"))
    error_message = "Each file of cloud-rules/rules is a rule."
  }
  assert {
    condition     = length(aws_iot_policy.this) == length(fileset("../../../cloud-rules/policies", "*.json"))
    error_message = "Each file of cloud-rules/policies is a policy."
  }
  assert {
    condition     = toset(keys(aws_iam_role.function)) == toset(keys(aws_lambda_function.this))
    error_message = "Each function has a role of its own."
  }
  assert {
    condition     = aws_dynamodb_table.sign[0].deletion_protection_enabled && length(aws_dynamodb_table.sign[0].replica) == 0 && length(aws_dynamodb_table.sign[0].ttl) == 0
    error_message = "The sign table is deletion protected, without replicas and without TTL."
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.function : group.retention_in_days == 30])
    error_message = "Logs are not kept for ever."
  }
  assert {
    condition     = keys(aws_iot_thing_group.fleet) == ["hub"] && aws_iot_thing_group.fleet["hub"].name == "beam_hub"
    error_message = "Each fleet has its thing group."
  }
}
