"""The page of the exporter: spend, and how notifications go."""

from mlguard_exporter.page.pages import TEMPLATES, SpendPages

__all__ = ["TEMPLATES", "SpendPages"]
