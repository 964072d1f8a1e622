# The role of the exporter: what it may do is exporter/iam-policy.json, the same that its manual shows.

locals {
  policy      = jsondecode(file("${path.module}/../../exporter/iam-policy.json"))
  of_a_bucket = ["ListBillingExport", "ReadBillingExport"]
  statements = [
    for each in local.policy.Statement : merge(each, {
      Resource = replace(each.Resource, "BUCKET", var.export_bucket)
    })
    if var.export_bucket != "" || !contains(local.of_a_bucket, each.Sid)
  ]
  decrypt = var.export_kms_key_arn == "" ? [] : [{
    Sid      = "DecryptBillingExport"
    Effect   = "Allow"
    Action   = "kms:Decrypt"
    Resource = var.export_kms_key_arn
  }]
  issuer = element(split("oidc-provider/", var.oidc_provider_arn), 1)
}

data "aws_iam_policy_document" "trust" {
  dynamic "statement" {
    for_each = var.oidc_provider_arn == "" ? [] : [1]
    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]
      principals {
        type        = "Federated"
        identifiers = [var.oidc_provider_arn]
      }
      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:sub"
        values   = ["system:serviceaccount:${var.service_account}"]
      }
      condition {
        test     = "StringEquals"
        variable = "${local.issuer}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.oidc_provider_arn == "" ? [1] : []
    content {
      actions = ["sts:AssumeRole"]
      principals {
        type        = "Service"
        identifiers = var.trusted_services
      }
    }
  }
}

resource "aws_iam_role" "exporter" {
  name               = var.name
  description        = "Reads spend for ML Guard."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "exporter" {
  name = var.name
  role = aws_iam_role.exporter.id
  policy = jsonencode({
    Version   = local.policy.Version
    Statement = concat(local.statements, local.decrypt)
  })
}

resource "aws_ce_cost_allocation_tag" "owner" {
  for_each = toset(var.activate_tags ? var.tags : [])
  tag_key  = each.value
  status   = "Active"
}

resource "aws_bcmdataexports_export" "cost" {
  count = var.create_export ? 1 : 0

  export {
    name = var.name
    data_query {
      query_statement = "SELECT line_item_usage_start_date, line_item_line_item_type, line_item_unblended_cost, line_item_net_unblended_cost, line_item_currency_code, line_item_product_code, reservation_effective_cost, savings_plan_savings_plan_effective_cost, resource_tags FROM COST_AND_USAGE_REPORT"
      table_configurations = {
        COST_AND_USAGE_REPORT = {
          TIME_GRANULARITY                      = "DAILY"
          INCLUDE_RESOURCES                     = "FALSE"
          INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY = "FALSE"
          INCLUDE_SPLIT_COST_ALLOCATION_DATA    = "FALSE"
        }
      }
    }
    destination_configurations {
      s3_destination {
        s3_bucket = var.export_bucket
        s3_prefix = "mlguard"
        s3_region = data.aws_region.here.name
        s3_output_configurations {
          overwrite   = "OVERWRITE_REPORT"
          format      = "TEXT_OR_CSV"
          compression = "GZIP"
          output_type = "CUSTOM"
        }
      }
    }
    refresh_cadence {
      frequency = "SYNCHRONOUS"
    }
  }
}

data "aws_region" "here" {}
