variable "name" {
  description = "Name of the role and its policy."
  type        = string
  default     = "mlguard-exporter"
}

variable "oidc_provider_arn" {
  description = "ARN of the cluster's OIDC provider, for IRSA. Leave it empty where ECS or EC2 uses the role."
  type        = string
  default     = ""
}

variable "service_account" {
  description = "NAMESPACE:NAME of the service account that may take the role."
  type        = string
  default     = "mlguard:mlguard-exporter"

  validation {
    condition     = can(regex("^[a-z0-9-]+:[a-z0-9-]+$", var.service_account))
    error_message = "Expected NAMESPACE:NAME, such as mlguard:mlguard-exporter."
  }
}

variable "trusted_services" {
  description = "AWS services that may take the role, where there is no OIDC provider."
  type        = list(string)
  default     = ["ecs-tasks.amazonaws.com"]
}

variable "activate_tags" {
  description = "Whether AWS splits spend by the tags. It must be the account that pays, and the tags must be on a resource for a day."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Cost allocation tags that name project, model and endpoint; cost.tags of the exporter."
  type        = list(string)
  default     = ["mlguard:project", "mlguard:model", "mlguard:endpoint"]
}

variable "export_bucket" {
  description = "Bucket of a billing export that the exporter reads in place of Cost Explorer; empty for none."
  type        = string
  default     = ""
}

variable "export_kms_key_arn" {
  description = "KMS key with which that bucket is encrypted; empty for none."
  type        = string
  default     = ""
}

variable "create_export" {
  description = "Whether AWS writes a data export (CUR 2.0) into the bucket, below mlguard/."
  type        = bool
  default     = false
}
