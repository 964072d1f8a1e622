"""The text of notifications: Markdown that is also readable as plain text."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.group import AlertGroup
    from mlguard_rules.promql import Labels

_MAX_SHOWN_ALERTS = 10
_MAX_SHOWN_VALUES = 5
_MAX_TEXT_LENGTH = 600
_MAX_SHOWN_URL_LENGTH = 120
_BUNDLED_RUNBOOK = "rules/README.md#mlguard"
_SEVERITIES = ("critical", "warning", "info")
_LOOKALIKES = str.maketrans("<>*`", "\u2039\u203a\u2217\u02cb")
"""Harmless substitutes for HTML in mail, mentions in Slack, and Markdown."""

_MENTION = re.compile(r"@(?=everyone|here|channel|all)", re.IGNORECASE)
_LINK = re.compile(r"https?://[\w.~:/?#@!$&+,;=%-]{1,2000}")
_WHERE = ("project", "model", "model_endpoint")


@dataclass(frozen=True)
class Links:
    """Addresses in notifications.

    Attributes:
        external_url: of this process or its dashboards; empty if there is none.
        runbook_base: prefix of runbooks that are relative; empty if there is none.
    """

    external_url: str = ""
    runbook_base: str = ""


@dataclass(frozen=True)
class Notification:
    """A text for one receiver, and the state of its sending; times are epoch seconds.

    Attributes:
        title: one line of plain text.
        body: Markdown.
        notify_type: `failure`, `warning`, `info` or `success`, from which Apprise takes a colour.
        id: empty until it is queued.
        receiver: name of the receiver, empty until it is queued.
        created_at: when it was queued.
        attempts: attempts to send it that failed.
        rejections: attempts in which the receiver refused the notification itself.
        next_attempt_at: when it is tried next.
    """

    title: str
    body: str
    notify_type: str
    id: str = ""
    receiver: str = ""
    created_at: float = 0.0
    attempts: int = 0
    rejections: int = 0
    next_attempt_at: float = 0.0


def render(group: AlertGroup, links: Links, now: float) -> Notification:
    """Return the notification of a group: what, where, the values, since when, what to do."""
    firing, resolved = group.firing, group.resolved
    severity = _worst(firing)
    return Notification(
        title=_title(group, severity),
        body="\n\n".join(
            part
            for part in (
                *_paragraphs(firing, now),
                f"and {group.omitted:,} more" if group.omitted else "",
                "**Resolved**" if resolved and firing else "",
                *_paragraphs(resolved, now),
                _footer((*firing, *resolved), links),
            )
            if part
        ),
        notify_type={"critical": "failure", "warning": "warning", "": "success"}.get(
            severity, "info"
        ),
    )


def _title(group: AlertGroup, severity: str) -> str:
    firing, resolved = group.firing, group.resolved
    shown = firing or resolved
    names = sorted({a.label("alertname") for a in shown})
    name = names[0] if len(names) == 1 else f"{len(names)} kinds of alerts"
    common = dict(_common(shown))
    where = "/".join(common[label] for label in _WHERE if common.get(label))
    state = severity.upper() if firing else "RESOLVED"
    count = f" ({len(firing):,} firing)" if len(firing) > 1 else ""
    if firing and resolved:
        count = f" ({len(firing):,} firing, {len(resolved):,} resolved)"
    elif len(resolved) > 1:
        count = f" ({len(resolved):,})"
    return _one_line(f"[{state}] {name}{': ' + where if where else ''}{count}")


def _worst(alerts: Sequence[Alert]) -> str:
    found = {alert.label("severity") for alert in alerts}
    return next((s for s in _SEVERITIES if s in found), "info" if alerts else "")


def _common(alerts: Sequence[Alert]) -> Labels:
    """Return the labels that all alerts have."""
    shared = set(alerts[0].labels)
    for alert in alerts[1:]:
        shared.intersection_update(alert.labels)
    return tuple(sorted(shared))


def _paragraphs(alerts: Sequence[Alert], now: float) -> list[str]:
    """Return a paragraph for each of the first alerts; one for all if only the replica differs."""
    if not alerts:
        return []
    common = dict(_common(alerts))
    differing = sorted({name for a in alerts for name, _ in a.labels if name not in common})
    if len(alerts) > 1 and differing in (["instance"], ["pod"]):
        return [_paragraph(alerts[0], now, ""), _values(alerts, differing[0])]
    ordered = sorted(alerts, key=lambda a: _rank(a.label("severity")))
    lines = [
        _paragraph(alert, now, _distinction(alert, differing))
        for alert in ordered[:_MAX_SHOWN_ALERTS]
    ]
    if len(alerts) > _MAX_SHOWN_ALERTS:
        lines.append(
            f"and {len(alerts) - _MAX_SHOWN_ALERTS:,} more: {_counted(ordered[_MAX_SHOWN_ALERTS:])}"
        )
    return lines


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _paragraph(alert: Alert, now: float, distinction: str) -> str:
    summary = alert.annotation("summary") or alert.label("alertname")
    parts = [f"**{_plain(summary)}**{distinction}."]
    description = alert.annotation("description")
    if description and not alert.is_resolved:
        parts.append(_plain(description))
    parts.append(_when(alert, now))
    return " ".join(parts)


def _when(alert: Alert, now: float) -> str:
    begin = _utc(alert.active_at)
    if alert.resolved_at is None:
        return f"Since {begin}, for {_duration(now - alert.active_at)}."
    duration = _duration(alert.resolved_at - alert.active_at)
    return f"From {begin} to {_utc(alert.resolved_at)}, for {duration}."


def _distinction(alert: Alert, differing: Sequence[str]) -> str:
    """Return the labels that distinguish an alert from the others and are not in its summary."""
    summary = alert.annotation("summary")
    if not summary:
        differing = [name for name, _ in alert.labels if name not in ("alertname", "severity")]
    shown = [
        value if name == "severity" else f"{name}={value}"
        for name in differing
        if (value := alert.label(name)) and value not in summary
    ]
    return f" ({_plain(', '.join(shown))})" if shown else ""


def _values(alerts: Sequence[Alert], name: str) -> str:
    values = sorted({alert.label(name) for alert in alerts})
    shown = ", ".join(values[:_MAX_SHOWN_VALUES])
    more = (
        f" and {len(values) - _MAX_SHOWN_VALUES:,} more" if len(values) > _MAX_SHOWN_VALUES else ""
    )
    return f"{len(alerts):,} times, {name}: {_plain(shown)}{more}"


def _counted(alerts: Sequence[Alert]) -> str:
    """Return the number of alerts of each name."""
    counts = Counter(alert.label("alertname") for alert in alerts)
    shown = ", ".join(f"{_plain(name)} {n:,}" for name, n in counts.most_common(_MAX_SHOWN_VALUES))
    return shown + (", ..." if len(counts) > _MAX_SHOWN_VALUES else "")


def _footer(alerts: Sequence[Alert], links: Links) -> str:
    runbooks = sorted({runbook for alert in alerts if (runbook := _runbook(alert, links))})
    lines = [f"What to do: {_link(runbook)}" for runbook in runbooks[:_MAX_SHOWN_VALUES]]
    generator = next((a.generator_url for a in alerts if a.generator_url), "")
    url = links.external_url or generator
    if url:
        lines.append(f"Figures: {_link(url)}")
    return "\n\n".join(lines)


def _runbook(alert: Alert, links: Links) -> str:
    """Return the address of an alert's runbook, or the command that prints a bundled one."""
    url = alert.annotation("runbook_url")
    if "://" in url or not url:
        return url
    if links.runbook_base:
        return f"{links.runbook_base.rstrip('/')}/{url}"
    name = alert.label("alertname")
    if url.startswith(_BUNDLED_RUNBOOK) and name.isalnum():
        return f"mlguard rules explain {name}"
    return url


def _link(url: str) -> str:
    """Return a Markdown link that shows its address, as mail may be read as plain text."""
    if not _LINK.fullmatch(url):
        return _plain(url)
    return f"[{url}]({url})" if len(url) <= _MAX_SHOWN_URL_LENGTH else f"[link]({url})"


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _duration(seconds: float) -> str:
    minutes = max(round(seconds / 60), 0)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts[:2])


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _plain(text: str) -> str:
    """Return any text on one line, with nothing left that is Markdown, HTML or a mention."""
    line = " ".join(text.split())
    line = line if len(line) <= _MAX_TEXT_LENGTH else line[: _MAX_TEXT_LENGTH - 3] + "..."
    line = _MENTION.sub("@\u200b", line)
    return line.translate(_LOOKALIKES).replace("](", "] (")
