output "mqtt_endpoint" {
  description = "host:port for [cloud] mqtt of a server's config.toml."
  value       = "${data.aws_iot_endpoint.data.endpoint_address}:8883"
}

output "credentials_endpoint" {
  description = "host:port of the IoT credentials provider: for [cloud] credential_provider of a validator's config.toml."
  value       = "${data.aws_iot_endpoint.credentials.endpoint_address}:443"
}

output "region" {
  description = "Region of the sign record. All servers name this one."
  value       = local.region
}

output "role_aliases" {
  description = "IAM role's name by role alias."
  value       = { for name, alias in local.aliases : alias.roleAlias => aws_iam_role.alias[name].name }
}

output "provisioning_templates" {
  description = "Names of the provisioning templates, by file."
  value       = { for name, template in aws_iot_provisioning_template.this : name => template.name }
}

output "function_names" {
  description = "Functions' names on AWS, by their names in lambdas/manifest.json."
  value       = local.function_names
}

output "sign_table" {
  description = "Name of the sign table."
  value       = local.sign_table
}

output "fleet_table" {
  description = "Name of the fleet table."
  value       = local.fleet_table
}

output "alerts_topic_arn" {
  description = "SNS topic of alarms: subscribe PagerDuty, chat or a webhook to it."
  value       = aws_sns_topic.alerts.arn
}

output "dead_letters_url" {
  description = "Queue of the events that were given up."
  value       = aws_sqs_queue.dead_letters.url
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.beam.dashboard_name
}
