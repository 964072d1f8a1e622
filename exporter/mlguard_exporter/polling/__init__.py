"""When spend is polled: the schedule, the state of each account, and the task."""

from mlguard_exporter.polling.poll_state import (
    PollState,
    active_tags,
    load_poll_state,
    request_history,
    settings_fingerprint,
)
from mlguard_exporter.polling.poll_state import migrations as poll_migrations
from mlguard_exporter.polling.poller import ABSENT_DAYS, CostPoller

__all__ = [
    "ABSENT_DAYS",
    "CostPoller",
    "PollState",
    "active_tags",
    "load_poll_state",
    "poll_migrations",
    "request_history",
    "settings_fingerprint",
]
