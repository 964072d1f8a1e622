"""Alerting as a process runs it: rules in, messages out, everything kept in between."""

from mlguard_rules.service.alerting import Alerting, BusyError
from mlguard_rules.service.api import AlertApi
from mlguard_rules.service.ledger import migrations
from mlguard_rules.service.metrics import METRICS
from mlguard_rules.service.settings import Settings, bundled_file

__all__ = ["METRICS", "AlertApi", "Alerting", "BusyError", "Settings", "bundled_file", "migrations"]
