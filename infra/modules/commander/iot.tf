# The contract's part of AWS IoT, made of cloud-rules/.

resource "aws_iot_thing_type" "pilot" {
  name = "beam-pilot"
  tags = var.tags

  properties {
    description           = "A server of a Beam fleet"
    searchable_attributes = ["fleet", "kind", "zone"]
  }
}

resource "aws_iot_thing_group" "fleet" {
  for_each = var.fleets

  name = "beam_${each.key}"
  tags = var.tags
}

resource "aws_iot_policy" "this" {
  for_each = local.policies

  name   = each.value.policyName
  policy = jsonencode(each.value.policyDocument)
  tags   = var.tags

  lifecycle {
    precondition {
      condition     = length(replace(jsonencode(each.value.policyDocument), "/\\s/", "")) <= 2048
      error_message = "cloud-rules/policies/${each.key}.json is longer than the 2,048 characters that AWS IoT takes: shorten it."
    }
  }
}

locals {
  # Function's name behind "${lambda:<name>}"; null for any other action than lambda, which a precondition refuses.
  rule_targets = {
    for name, rule in local.rules : name => [
      for action in rule.topicRulePayload.actions : try(regex("^\\$\\{lambda:([a-z0-9-]+)\\}$", action.lambda.functionArn)[0], null)
    ]
  }
  rule_error_targets = {
    for name, rule in local.rules : name => try(regex("^\\$\\{lambda:([a-z0-9-]+)\\}$", rule.topicRulePayload.errorAction.lambda.functionArn)[0], null)
  }
  # Each pair of a rule and a function that it invokes.
  rule_invocations = merge([
    for rule in keys(local.rules) : {
      for function in distinct([for each in concat(local.rule_targets[rule], [local.rule_error_targets[rule]]) : each if each != null]) :
      "${rule} ${function}" => { rule = rule, function = function }
    }
  ]...)
}

resource "aws_iot_topic_rule" "this" {
  for_each = local.rules

  name        = each.value.ruleName
  description = try(each.value.topicRulePayload.description, null)
  enabled     = !try(each.value.topicRulePayload.ruleDisabled, false)
  sql         = each.value.topicRulePayload.sql
  sql_version = each.value.topicRulePayload.awsIotSqlVersion
  tags        = var.tags

  dynamic "lambda" {
    for_each = local.rule_targets[each.key]
    content {
      function_arn = local.function_arns[lambda.value]
    }
  }

  dynamic "error_action" {
    for_each = local.rule_error_targets[each.key] == null ? [] : [local.rule_error_targets[each.key]]
    content {
      lambda {
        function_arn = local.function_arns[error_action.value]
      }
    }
  }

  lifecycle {
    precondition {
      condition = (
        alltrue([for target in concat(local.rule_targets[each.key], [local.rule_error_targets[each.key]]) : try(contains(keys(local.functions), target), false)])
      )
      error_message = "cloud-rules/rules/${each.key}.json must route, errors too, to functions of lambdas/manifest.json by \"$${lambda:<name>}\": correct its functionArn."
    }
  }

  depends_on = [aws_lambda_function.this]
}

resource "aws_lambda_permission" "rule" {
  for_each = local.rule_invocations

  statement_id   = "rule-${each.value.rule}"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this[each.value.function].function_name
  principal      = "iot.amazonaws.com"
  source_account = local.account
  source_arn     = "arn:${local.partition}:iot:${local.region}:${local.account}:rule/${local.rules[each.value.rule].ruleName}"
}

# Fleet provisioning: servers that register themselves.

resource "aws_iam_role" "provisioning" {
  name        = "beam-provisioning"
  description = "AWS IoT registers Beam's servers with it, as the provisioning templates say"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "iot.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

# AWS's own list of what RegisterThing needs; only AWS IoT has the role, and does with it what a template says.
resource "aws_iam_role_policy_attachment" "provisioning" {
  role       = aws_iam_role.provisioning.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AWSIoTThingsRegistration"
}

locals {
  template_hooks = {
    for name, template in local.templates : name => try(regex("^\\$\\{lambda:([a-z0-9-]+)\\}$", template.preProvisioningHook.targetArn)[0], null)
  }
}

resource "aws_iot_provisioning_template" "this" {
  for_each = local.templates

  name                  = each.value.templateName
  description           = try(each.value.description, null)
  enabled               = try(each.value.enabled, true)
  type                  = try(each.value.type, "FLEET_PROVISIONING")
  provisioning_role_arn = aws_iam_role.provisioning.arn
  template_body         = jsonencode(each.value.templateBody)
  tags                  = var.tags

  pre_provisioning_hook {
    payload_version = try(each.value.preProvisioningHook.payloadVersion, "2020-04-01")
    target_arn      = try(aws_lambda_function.this[local.template_hooks[each.key]].arn, "")
  }

  lifecycle {
    precondition {
      condition     = try(contains(keys(local.functions), local.template_hooks[each.key]), false)
      error_message = "cloud-rules/templates/${each.key}.json has no preProvisioningHook with targetArn \"$${lambda:<name>}\" of a function in lambdas/manifest.json: without a hook every claim certificate may register anything."
    }
    precondition {
      condition     = each.value.provisioningRoleArn == "$${role:${aws_iam_role.provisioning.name}}"
      error_message = "cloud-rules/templates/${each.key}.json must name the role \"$${role:beam-provisioning}\": this module makes no other for provisioning."
    }
  }

  depends_on = [aws_iam_role_policy_attachment.provisioning, aws_lambda_permission.hook]
}

resource "aws_lambda_permission" "hook" {
  for_each = { for name, function in local.template_hooks : name => function if function != null }

  statement_id   = "hook-${each.key}"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this[each.value].function_name
  principal      = "iot.amazonaws.com"
  source_account = local.account
  source_arn     = "arn:${local.partition}:iot:${local.region}:${local.account}:provisioningtemplate/${local.templates[each.key].templateName}"
}

# Role aliases: what a server's certificate is worth at the IoT credentials provider.

resource "aws_iam_role" "alias" {
  for_each = local.aliases

  name        = each.value.roleAlias
  description = try(each.value.description, null)
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "credentials.iot.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals    = { "aws:SourceArn" = "arn:${local.partition}:iot:${local.region}:${local.account}:rolealias/${each.value.roleAlias}" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "alias" {
  for_each = local.aliases

  name = "beam"
  role = aws_iam_role.alias[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.statements["alias ${each.key}"], [
      for actions in [["kms:GetPublicKey", "kms:Sign"]] : {
        Effect   = "Allow"
        Action   = actions
        Resource = sort(var.consensus_key_arns)
      } if length(var.consensus_key_arns) > 0
    ])
  })
}

resource "aws_iot_role_alias" "this" {
  for_each = local.aliases

  alias               = each.value.roleAlias
  role_arn            = aws_iam_role.alias[each.key].arn
  credential_duration = each.value.credentialDurationSeconds
  tags                = var.tags
}
