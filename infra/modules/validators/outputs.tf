output "private_addresses" {
  description = "By validator."
  value       = { for node, instance in aws_instance.this : node => instance.private_ip }
}

output "instance_ids" {
  description = "By validator: `aws ec2-instance-connect ssh --instance-id …`."
  value       = { for node, instance in aws_instance.this : node => instance.id }
}

output "security_group_id" {
  description = "Of the validators."
  value       = aws_security_group.this.id
}

output "consensus_key_arns" {
  description = "For modules/commander: the KMS key, or none."
  value       = [for key in aws_kms_key.consensus : key.arn]
}
