output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "By zone: for sentries."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "private_subnet_ids" {
  description = "By zone: for validators."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}
