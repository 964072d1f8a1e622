"""Who is told of alerts: routes, groups, silences, messages, and the outbox that they leave by."""

from mlguard_rules.notify.budget import MESSAGES_A_MINUTE, Budget
from mlguard_rules.notify.config import NotifyConfig, RulesConfig
from mlguard_rules.notify.delivery import Delivery, DeliveryError, Letter
from mlguard_rules.notify.dispatch import RESOLVE_SECONDS, Dispatcher
from mlguard_rules.notify.group import Group, GroupKey, Notification, Step, grouped
from mlguard_rules.notify.matchers import Matcher
from mlguard_rules.notify.message import Links, Message, compose
from mlguard_rules.notify.route import Route
from mlguard_rules.notify.silence import Silence

__all__ = [
    "MESSAGES_A_MINUTE",
    "RESOLVE_SECONDS",
    "Budget",
    "Delivery",
    "DeliveryError",
    "Dispatcher",
    "Group",
    "GroupKey",
    "Letter",
    "Links",
    "Matcher",
    "Message",
    "Notification",
    "NotifyConfig",
    "Route",
    "RulesConfig",
    "Silence",
    "Step",
    "compose",
    "grouped",
]
