"""What a person reads: Markdown that is also readable as plain text."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.group import Notification
    from mlguard_rules.promql import Labels

_SHOWN_ALERTS = 10
_SHOWN_VALUES = 5
_LONGEST_TEXT = 600
_LONGEST_SHOWN_URL = 120
_BUNDLED_RUNBOOK = "rules/README.md#mlguard"
_SEVERITIES = ("critical", "warning", "info")
_LOOKALIKES = str.maketrans("<>*`", "\u2039\u203a\u2217\u02cb")
"""For what would be HTML in mail, a mention in Slack, or Markdown."""

_MENTION = re.compile(r"@(?=everyone|here|channel|all)", re.IGNORECASE)
_LINK = re.compile(r"https?://[\w.~:/?#@!$&+,;=%-]{1,2000}")
_WHERE = ("project", "model", "model_endpoint")


@dataclass(frozen=True)
class Links:
    """Where a reader can look further.

    Attributes:
        external_url: of this process or its dashboards, empty where there is none.
        runbook_base: put before a runbook that is no address of its own, empty where none is.
    """

    external_url: str = ""
    runbook_base: str = ""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        title: one line of plain text.
        body: Markdown.
        kind: `failure`, `warning`, `info` or `success`, which colours it.
    """

    title: str
    body: str
    kind: str


def compose(notification: Notification, links: Links, now: float) -> Message:
    """The message of a notification: what, where, the numbers, since when, what to do."""
    firing, resolved = notification.firing, notification.resolved
    every = (*firing, *resolved)
    severity = _worst(firing)
    return Message(
        title=_title(notification, severity),
        body="\n\n".join(
            part
            for part in (
                *_listed(firing, now),
                f"and {notification.omitted:,} more" if notification.omitted else "",
                "**Resolved**" if resolved and firing else "",
                *_listed(resolved, now),
                _footer(every, links),
            )
            if part
        ),
        kind={"critical": "failure", "warning": "warning", "": "success"}.get(severity, "info"),
    )


def _title(notification: Notification, severity: str) -> str:
    firing, resolved = notification.firing, notification.resolved
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
    """Labels that all alerts have."""
    shared = set(alerts[0].labels)
    for alert in alerts[1:]:
        shared.intersection_update(alert.labels)
    return tuple(sorted(shared))


def _listed(alerts: Sequence[Alert], now: float) -> list[str]:
    """A paragraph for each of the first alerts; where they all say the same, one for all."""
    if not alerts:
        return []
    common = dict(_common(alerts))
    differing = sorted({name for a in alerts for name, _ in a.labels if name not in common})
    if len(alerts) > 1 and differing in (["instance"], ["pod"]):
        return [_paragraph(alerts[0], now, ""), _values(alerts, differing[0])]
    ordered = sorted(alerts, key=lambda a: _rank(a.label("severity")))
    lines = [
        _paragraph(alert, now, _distinction(alert, differing)) for alert in ordered[:_SHOWN_ALERTS]
    ]
    if len(alerts) > _SHOWN_ALERTS:
        lines.append(
            f"and {len(alerts) - _SHOWN_ALERTS:,} more: {_counted(ordered[_SHOWN_ALERTS:])}"
        )
    return lines


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _paragraph(alert: Alert, now: float, distinction: str) -> str:
    summary = alert.annotation("summary") or alert.label("alertname")
    parts = [f"**{_plain(summary)}**{distinction}."]
    description = alert.annotation("description")
    if description and alert.ends_at is None:
        parts.append(_plain(description))
    parts.append(_when(alert, now))
    return " ".join(parts)


def _when(alert: Alert, now: float) -> str:
    if alert.ends_at is None:
        return f"Since {_moment(alert.starts_at)}, for {_length(now - alert.starts_at)}."
    lasted = _length(alert.ends_at - alert.starts_at)
    return f"From {_moment(alert.starts_at)} to {_moment(alert.ends_at)}, for {lasted}."


def _distinction(alert: Alert, differing: Sequence[str]) -> str:
    """The labels that tell an alert from the others, where its summary does not say them."""
    summary = alert.annotation("summary")
    if not summary:
        differing = [name for name, _ in alert.labels if name not in ("alertname", "severity")]
    told = [
        value if name == "severity" else f"{name}={value}"
        for name in differing
        if (value := alert.label(name)) and value not in summary
    ]
    return f" ({_plain(', '.join(told))})" if told else ""


def _values(alerts: Sequence[Alert], name: str) -> str:
    values = sorted({alert.label(name) for alert in alerts})
    shown = ", ".join(values[:_SHOWN_VALUES])
    more = f" and {len(values) - _SHOWN_VALUES:,} more" if len(values) > _SHOWN_VALUES else ""
    return f"{len(alerts):,} times, {name}: {_plain(shown)}{more}"


def _counted(alerts: Sequence[Alert]) -> str:
    """How many of each name."""
    counts = Counter(alert.label("alertname") for alert in alerts)
    shown = ", ".join(f"{_plain(name)} {n:,}" for name, n in counts.most_common(_SHOWN_VALUES))
    return shown + (", ..." if len(counts) > _SHOWN_VALUES else "")


def _footer(alerts: Sequence[Alert], links: Links) -> str:
    ways = sorted({way for alert in alerts if (way := _what_to_do(alert, links))})
    told = [f"What to do: {_link(way)}" for way in ways[:_SHOWN_VALUES]]
    source = links.external_url or next((a.source for a in alerts if a.source), "")
    if source:
        told.append(f"Figures: {_link(source)}")
    return "\n\n".join(told)


def _what_to_do(alert: Alert, links: Links) -> str:
    """Where that stands; a command tells it where the bundled runbook has no address."""
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
    """An address that can be followed, and is also there where a mail is shown as plain text."""
    if not _LINK.fullmatch(url):
        return _plain(url)
    return f"[{url}]({url})" if len(url) <= _LONGEST_SHOWN_URL else f"[link]({url})"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _length(seconds: float) -> str:
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
    """A text that may hold anything, on one line, none of it taken for Markdown or HTML."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 3] + "..."
    line = _MENTION.sub("@\u200b", line)
    return line.translate(_LOOKALIKES).replace("](", "] (")
