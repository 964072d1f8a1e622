"""Alerting as a process runs it: rules are evaluated, alerts dispatched, notifications sent."""

from mlguard_rules.errors import BusyError
from mlguard_rules.service.alerting import Alerting
from mlguard_rules.service.api import AlertAnswer, AlertApi
from mlguard_rules.service.metrics import METRICS
from mlguard_rules.service.migrations import migrations
from mlguard_rules.service.notification_queue import ReceiverState
from mlguard_rules.service.samples import SampleConverter
from mlguard_rules.service.settings import Settings, bundled_file

__all__ = [
    "METRICS",
    "AlertAnswer",
    "AlertApi",
    "Alerting",
    "BusyError",
    "ReceiverState",
    "SampleConverter",
    "Settings",
    "bundled_file",
    "migrations",
]
