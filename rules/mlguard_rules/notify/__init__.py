"""Notifications about alerts: configuration, routes, silences, grouping, rendering and sending."""

from mlguard_rules.errors import SendError
from mlguard_rules.matchers import Matcher, parse_matchers
from mlguard_rules.notify.config import NotifyConfig, RelayConfig, RulesConfig
from mlguard_rules.notify.dispatcher import RESOLVE_TIMEOUT_SECONDS, Dispatcher
from mlguard_rules.notify.group import AlertGroup, DispatchResult, GroupKey, GroupState, group_once
from mlguard_rules.notify.receiver_queue import ReceiverQueue
from mlguard_rules.notify.render import Links, Notification, render
from mlguard_rules.notify.route import MAX_NOTIFICATIONS_PER_MINUTE, RateLimit, Route
from mlguard_rules.notify.silence import Silence

__all__ = [
    "MAX_NOTIFICATIONS_PER_MINUTE",
    "RESOLVE_TIMEOUT_SECONDS",
    "AlertGroup",
    "DispatchResult",
    "Dispatcher",
    "GroupKey",
    "GroupState",
    "Links",
    "Matcher",
    "Notification",
    "NotifyConfig",
    "RateLimit",
    "ReceiverQueue",
    "RelayConfig",
    "Route",
    "RulesConfig",
    "SendError",
    "Silence",
    "group_once",
    "parse_matchers",
    "render",
]
