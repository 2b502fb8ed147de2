output "security_group_id" {
  description = "For modules/validators."
  value       = aws_security_group.this.id
}

output "addresses" {
  description = "Public addresses by sentry: for who lists them as peers."
  value       = { for node, eip in aws_eip.this : node => eip.public_ip }
}

output "role_name" {
  description = "The sentries' role."
  value       = aws_iam_role.this.name
}
