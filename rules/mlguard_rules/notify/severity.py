"""Severities of alerts, whatever a team calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN = ("critical", "warning", "info")
"""Severities of the bundled rules."""

_WORDS = (
    "critical crit emergency emerg fatal disaster blocker page p0 p1 sev0 sev1 s0 s1 1",
    "error err alert high major p2 sev2 s2 2",
    "warning warn medium average minor p3 sev3 s3 3",
    "info information informational notice low ok none debug p4 p5 sev4 sev5 s4 s5 4 5",
)
_RANKS = {word: rank for rank, words in enumerate(_WORDS) for word in words.split()}
_UNKNOWN = 2
_TYPES = ("failure", "failure", "warning", "info")


def rank(severity: str) -> int:
    """Return the rank of a severity, 0 for the worst; an unknown word ranks as a warning.

    Args:
        severity: a value of the label, in any case; empty if there is none.
    """
    word = severity.strip().lower().replace("-", "").replace("_", "")
    return _RANKS.get(word, _UNKNOWN if word else len(_WORDS) - 1)


def worst(severities: Iterable[str]) -> str:
    """Return the worst severity as it was written; `info` if there is none."""
    return min((s for s in severities if s), key=lambda s: (rank(s), s), default="info")


def shown(severity: str) -> str:
    """Return a severity for a title: ours in capitals, others as they were written."""
    return severity.upper() if severity in OWN else severity


def notify_type(severity: str) -> str:
    """Return `failure`, `warning` or `info`, from which Apprise takes a colour."""
    return _TYPES[rank(severity)]
