"""Billing exports that AWS delivers as files: CUR 2.0 and FOCUS, on S3 or in a folder."""

from mlguard_exporter.sources.aws.billing_export.source import BillingExportSource

__all__ = ["BillingExportSource"]
