# What tells people that Commander itself is unwell. Pilots' alerts come through the `alert` function.

resource "aws_sns_topic" "alerts" {
  name              = "beam-alerts"
  kms_master_key_id = var.alerts_kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "alerts" {
  arn = aws_sns_topic.alerts.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AlarmsOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = "arn:${local.partition}:sns:${local.region}:${local.account}:beam-alerts"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alert_emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  # An account has 10 alarm metrics for nothing, so by default these are what nothing else shows. An event that a function fails at for the last
  # time is a dead letter; the hook of provisioning is asked and not sent events, so it has none. What is throttled waits, and becomes a dead letter
  # in the end; where it lasts, the sweeps are silent.
  functions_watched = var.alarms_of_each ? keys(local.function_names) : ["provision"]
  functions_crowded = var.alarms_of_each ? keys(local.function_names) : []
  # What the other rules lose the sweeps repair, or the missing health messages show.
  rules_watched = var.alarms_of_each ? local.rules : {
    for key, rule in local.rules : key => rule
    if contains(["beam_alert", "beam_health", "beam_role_documents", "beam_role_request"], rule.ruleName)
  }

  # Name → one metric that stays at or below (or, for a heartbeat, above) its threshold.
  alarms = merge(
    {
      for name, function_name in local.function_names : "beam-${name}-errors" => {
        text       = "Beam's function ${name} fails. Read its log group /aws/lambda/${function_name}; events that it gave up are in the queue beam-dead-letters."
        namespace  = "AWS/Lambda"
        metric     = "Errors"
        dimensions = { FunctionName = function_name }
      } if contains(local.functions_watched, name)
    },
    {
      for name, function_name in local.function_names : "beam-${name}-throttled" => {
        text       = "Beam's function ${name} waits for concurrency: raise reservedConcurrency in lambdas/manifest.json, or the account's quota of concurrent executions."
        namespace  = "AWS/Lambda"
        metric     = "Throttles"
        dimensions = { FunctionName = function_name }
      } if contains(local.functions_crowded, name)
    },
    {
      beam-dead-letters = {
        text       = "Events were given up: read the queue beam-dead-letters, mend the cause, and purge it. The sweep decides anew each minute."
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = "beam-dead-letters" }
        statistic  = "Maximum"
      }
      beam-sign-table-throttled = {
        text       = "Writes to the sign table are throttled, so blocks are missed: look for what else writes to it, and at the account's DynamoDB quotas."
        namespace  = "AWS/DynamoDB"
        metric     = "WriteThrottleEvents"
        dimensions = { TableName = local.sign_table }
      }
      beam-sign-table-errors = {
        text       = "DynamoDB fails on updates of the sign table, so blocks may be missed: look at the AWS Health Dashboard. Signing goes on by itself when it answers again."
        namespace  = "AWS/DynamoDB"
        metric     = "SystemErrors"
        dimensions = { TableName = local.sign_table, Operation = "UpdateItem" }
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = each.key
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = try(each.value.statistic, "Sum")
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
  tags                = var.tags
}

# The dead man's switch: the sweep runs each minute, so silence is a fault.
resource "aws_cloudwatch_metric_alarm" "sweep" {
  for_each = { for name, schedule in local.schedules : schedule.function => schedule... }

  alarm_name          = "beam-${each.key}-silent"
  alarm_description   = "Beam's function ${each.key} was not invoked for its schedule: look at the schedule group beam, and at the function's permissions."
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = local.function_names[each.key] }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
  tags                = var.tags
}

# A rule whose message reached neither its function nor the alert function: the last place where it shows.
resource "aws_cloudwatch_metric_alarm" "rules" {
  alarm_name          = "beam-rules-lost-messages"
  alarm_description   = "A rule could hand a message neither to its function nor to the alert function: look at the functions' resource policies (terraform apply puts them back)."
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
  tags                = var.tags

  metric_query {
    id          = "lost"
    expression  = "SUM(METRICS())"
    label       = "Messages lost"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = local.rules_watched
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/IoT"
        metric_name = "ErrorActionFailure"
        dimensions  = { RuleName = metric_query.value.ruleName, ActionType = "Lambda" }
        period      = 60
        stat        = "Sum"
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.rules_watched) <= 9
      error_message = "An alarm takes 10 metrics: split the alarm beam-rules-lost-messages before you add a tenth rule."
    }
  }
}

resource "aws_cloudwatch_dashboard" "beam" {
  dashboard_name = "beam"
  dashboard_body = jsonencode({
    widgets = [
      for index, widget in local.widgets : {
        type   = "metric"
        x      = (index % 2) * 12
        y      = floor(index / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          region  = local.region
          view    = "timeSeries"
          stat    = widget.stat
          period  = 60
          metrics = widget.metrics
        }
      }
    ]
  })
}

locals {
  widgets = [
    {
      title   = "Sign table: latency of updates, ms (p99)"
      stat    = "p99"
      metrics = [["AWS/DynamoDB", "SuccessfulRequestLatency", "TableName", local.sign_table, "Operation", "UpdateItem"]]
    },
    {
      title = "Sign table: refused and failed"
      stat  = "Sum"
      metrics = [
        ["AWS/DynamoDB", "ConditionalCheckFailedRequests", "TableName", local.sign_table],
        ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", local.sign_table],
        ["AWS/DynamoDB", "SystemErrors", "TableName", local.sign_table, "Operation", "UpdateItem"],
      ]
    },
    {
      title   = "Functions: invocations"
      stat    = "Sum"
      metrics = [for function_name in values(local.function_names) : ["AWS/Lambda", "Invocations", "FunctionName", function_name]]
    },
    {
      title   = "Functions: errors"
      stat    = "Sum"
      metrics = [for function_name in values(local.function_names) : ["AWS/Lambda", "Errors", "FunctionName", function_name]]
    },
    {
      title   = "Functions: duration, ms (p99)"
      stat    = "p99"
      metrics = [for function_name in values(local.function_names) : ["AWS/Lambda", "Duration", "FunctionName", function_name]]
    },
    {
      title   = "Rules: messages"
      stat    = "Sum"
      metrics = [for rule in values(local.rules) : ["AWS/IoT", "TopicMatch", "RuleName", rule.ruleName]]
    },
    {
      title   = "Rules: failures"
      stat    = "Sum"
      metrics = [for rule in values(local.rules) : ["AWS/IoT", "Failure", "RuleName", rule.ruleName, "ActionType", "Lambda"]]
    },
    {
      title   = "Dead letters"
      stat    = "Maximum"
      metrics = [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "beam-dead-letters"]]
    },
  ]
}
