"""Rules evaluated again and again, and the alerts that they find."""

from mlguard_rules.alerting.engine import Engine, Tick
from mlguard_rules.alerting.state import ActiveAlert, Finding, State, advance

__all__ = ["ActiveAlert", "Engine", "Finding", "State", "Tick", "advance"]
