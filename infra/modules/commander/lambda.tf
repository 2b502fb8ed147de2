# Commander's functions, each with a role of its own that may do what the manifest says, write its own log, and hand on what it failed at.

resource "aws_iam_role" "function" {
  for_each = local.functions

  name        = local.function_names[each.key]
  description = "Beam's function ${each.key}"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name = "beam"
  role = aws_iam_role.function[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.statements["function ${each.key}"], [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${local.function_names[each.key]}:*"
      },
      {
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = local.dead_letters_arn
      },
    ])
  })
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${local.function_names[each.key]}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  function_name                  = local.function_names[each.key]
  description                    = "Beam's ${each.key}"
  role                           = aws_iam_role.function[each.key].arn
  runtime                        = var.lambda_runtime
  architectures                  = ["arm64"]
  handler                        = "index.${each.value.handler}"
  filename                       = try(var.lambda_packages[each.key], null)
  source_code_hash               = try(filebase64sha256(var.lambda_packages[each.key]), null)
  timeout                        = each.value.timeoutSeconds
  memory_size                    = each.value.memoryMb
  reserved_concurrent_executions = var.reserve_concurrency ? try(each.value.reservedConcurrency, 1) : -1
  tags                           = var.tags

  environment {
    # The account's own endpoint: the SDK's regional one is no account's.
    variables = merge(try(each.value.environment, {}), {
      AWS_ENDPOINT_URL_IOT_DATA_PLANE = "https://${data.aws_iot_endpoint.data.endpoint_address}"
    }, each.key == "provision" && var.instance_certificates != "" ? { BEAM_INSTANCE_CERTIFICATES = var.instance_certificates } : {})
  }

  lifecycle {
    precondition {
      condition     = contains(keys(var.lambda_packages), each.key)
      error_message = "lambdas/manifest.json has the function ${each.key}, but `lambda_packages` has no zip for it: run `npm run bundle` and pass dist/lambdas/${each.key}.zip."
    }
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

# An event that is minutes old decides nothing that the sweep has not decided since.
resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.functions

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_event_age_in_seconds = 300
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = local.dead_letters_arn
    }
  }
}

locals {
  dead_letters_arn = "arn:${local.partition}:sqs:${local.region}:${local.account}:beam-dead-letters"
}

# Events that a function failed at for the last time, and schedules that could not be delivered.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "beam-dead-letters"
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

# Schedules.

resource "aws_scheduler_schedule_group" "beam" {
  name = "beam"
  tags = var.tags
}

resource "aws_iam_role" "scheduler" {
  name        = "beam-scheduler"
  description = "Invokes Beam's functions on schedule"
  tags        = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "beam"
  role = aws_iam_role.scheduler.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = sort(distinct([for schedule in values(local.schedules) : local.function_arns[schedule.function]]))
      },
      {
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = local.dead_letters_arn
      },
    ]
  })
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.schedules

  name                = "beam-${each.key}"
  group_name          = aws_scheduler_schedule_group.beam.name
  schedule_expression = each.value.expression

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this[each.value.function].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode(try(each.value.input, { source = "beam.schedule", schedule = each.key }))

    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 2
    }

    dead_letter_config {
      arn = local.dead_letters_arn
    }
  }
}
