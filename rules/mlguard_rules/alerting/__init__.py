"""Periodic evaluation of rules, and the state of their alerts."""

from mlguard_rules.alerting.manager import EvaluationResult, RuleManager
from mlguard_rules.alerting.state import advance

__all__ = ["EvaluationResult", "RuleManager", "advance"]
