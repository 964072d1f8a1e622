output "role_arn" {
  description = "ARN of the role: eks.amazonaws.com/role-arn of the service account, or the task's role."
  value       = aws_iam_role.exporter.arn
}
