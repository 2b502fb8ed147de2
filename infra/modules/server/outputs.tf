output "user_data" {
  description = "cloud-init's user data, as text."
  value       = local.user_data
}

output "user_data_base64" {
  description = "The same, gzipped, in Base64."
  value       = base64gzip(local.user_data)
}
