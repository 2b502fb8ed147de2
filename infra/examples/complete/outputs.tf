output "sentry_addresses" {
  description = "Public addresses of the sentries."
  value       = module.sentries.addresses
}

output "validator_instances" {
  description = "By validator."
  value       = module.validators.instance_ids
}

output "consensus_key_arns" {
  description = "The KMS key, or none."
  value       = module.validators.consensus_key_arns
}

output "alerts_topic_arn" {
  description = "Subscribe PagerDuty, chat or a webhook to it."
  value       = module.commander.alerts_topic_arn
}
