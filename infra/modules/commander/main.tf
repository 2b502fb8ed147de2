# The one source, which the local cloud reads too: cloud-rules/ and lambdas/manifest.json. Nothing below names a rule, a policy, a
# function, a schedule or a right by itself.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}
data "aws_partition" "current" {}

data "aws_iot_endpoint" "data" {
  endpoint_type = "iot:Data-ATS"
}

data "aws_iot_endpoint" "credentials" {
  endpoint_type = "iot:CredentialProvider"
}

locals {
  repository  = "${path.module}/../../.."
  cloud_rules = "${local.repository}/cloud-rules"

  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.region
  partition = data.aws_partition.current.partition

  functions = { for each in jsondecode(file("${local.repository}/lambdas/manifest.json")).functions : each.name => each }
  rules     = { for file in fileset("${local.cloud_rules}/rules", "*.json") : trimsuffix(file, ".json") => jsondecode(file("${local.cloud_rules}/rules/${file}")) }
  policies  = { for file in fileset("${local.cloud_rules}/policies", "*.json") : trimsuffix(file, ".json") => jsondecode(file("${local.cloud_rules}/policies/${file}")) }
  templates = { for file in fileset("${local.cloud_rules}/templates", "*.json") : trimsuffix(file, ".json") => jsondecode(file("${local.cloud_rules}/templates/${file}")) }
  aliases   = { for file in fileset("${local.cloud_rules}/role-aliases", "*.json") : trimsuffix(file, ".json") => jsondecode(file("${local.cloud_rules}/role-aliases/${file}")) }

  function_names = { for name in keys(local.functions) : name => "beam-${name}" }
  function_arns  = { for name, function_name in local.function_names : name => "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${function_name}" }
  schedules      = merge([for name, each in local.functions : { for schedule in try(each.schedules, []) : schedule.name => merge(schedule, { function = name }) }]...)

  # IAM statements of the manifest and of the role aliases: {actions, resource, condition?}, with ${region} and ${account} in the resource.
  statements = {
    for owner, each in merge({ for name, one in local.functions : "function ${name}" => try(one.iam, []) }, { for name, one in local.aliases : "alias ${name}" => one.iam }) :
    owner => [
      for statement in each : merge(
        {
          Effect   = "Allow"
          Action   = statement.actions
          Resource = replace(replace(replace(statement.resource, "$${region}", local.region), "$${account}", local.account), "arn:aws:", "arn:${local.partition}:")
        },
        try({ Condition = statement.condition }, {}),
      )
    ]
  }
}
