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
  mock_data "aws_iot_endpoint" {
    defaults = { endpoint_address = "abc123-ats.iot.eu-central-1.amazonaws.com" }
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

run "commander_alone" {
  command = plan
  assert {
    condition     = output.mqtt_endpoint == "abc123-ats.iot.eu-central-1.amazonaws.com:8883"
    error_message = "Servers are told where to connect."
  }
}
