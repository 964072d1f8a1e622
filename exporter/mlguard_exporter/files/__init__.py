"""Spend from billing exports that AWS writes as files: CUR 2.0 and FOCUS, on S3 or in a folder."""

from mlguard_exporter.files.source import FileSource

__all__ = ["FileSource"]
