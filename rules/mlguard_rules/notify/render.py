"""The text of notifications: Markdown that is also readable as plain text."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlguard_rules.notify.severity import notify_type, rank, shown, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_rules.alert import Alert
    from mlguard_rules.notify.group import AlertGroup
    from mlguard_rules.promql import Labels

_MAX_SHOWN_ALERTS = 10
_MAX_SHOWN_VALUES = 5
_MAX_SHOWN_RESOLVED = 20
_MAX_TEXT_LENGTH = 600
_MAX_SHOWN_URL_LENGTH = 120
_BUNDLED_RUNBOOK = "rules/README.md#mlguard"
_LOOKALIKES = str.maketrans("<>*`", "\u2039\u203a\u2217\u02cb")
"""Harmless substitutes for HTML in mail, mentions in Slack, and Markdown."""

_MARKUP = re.compile(r"(?<![^\W_])_|_(?![^\W_])|\\|&#?\w+;|~")
"""What Markdown would change, as in `__other__`; within a word, an underscore is none."""

_MARKS = ".,:;!?"
_MENTION = re.compile(r"@(?=everyone|here|channel|all)", re.IGNORECASE)
_LINK = re.compile(r"https?://[\w.~:/?#@!$&+,;=%-]{1,2000}")
_REPLICA = ("instance", "pod")
"""Labels in which alerts that say the same may differ."""

_TEXTS = ("description", "explanation")
"""Annotations of firing alerts that are shown after the summary."""

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
        pause: how long before its next attempt the last one was.
        last_failure: why the last attempt failed, a SendReason; empty before.
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
    pause: float = 300.0
    last_failure: str = ""


def render(group: AlertGroup, links: Links, now: float) -> Notification:
    """Return the notification of a group: what, where, the values, since when, what to do."""
    firing, resolved = group.firing, group.resolved
    severity = worst(alert.label("severity") for alert in firing)
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
        notify_type=notify_type(severity) if firing else "success",
    )


def _title(group: AlertGroup, severity: str) -> str:
    firing, resolved = group.firing, group.resolved
    named = firing or resolved
    names = sorted({a.label("alertname") for a in named})
    name = names[0] if len(names) == 1 else f"{len(names)} kinds of alerts"
    common = dict(_common(named))
    where = "/".join(common[label] for label in _WHERE if common.get(label))
    state = shown(severity) if firing else "RESOLVED"
    count = f" ({len(firing):,} firing)" if len(firing) > 1 else ""
    if firing and resolved:
        count = f" ({len(firing):,} firing, {len(resolved):,} resolved)"
    elif len(resolved) > 1:
        count = f" ({len(resolved):,})"
    return _one_line(f"[{state}] {name}{': ' + where if where else ''}{count}")


def _common(alerts: Sequence[Alert]) -> Labels:
    """Return the labels that all alerts have."""
    shared = set(alerts[0].labels)
    for alert in alerts[1:]:
        shared.intersection_update(alert.labels)
    return tuple(sorted(shared))


def _paragraphs(alerts: Sequence[Alert], now: float) -> list[str]:
    """Return a paragraph for each of the worst alerts; one for those that say the same."""
    if not alerts:
        return []
    common = dict(_common(alerts))
    differing = sorted({name for a in alerts for name, _ in a.labels if name not in common})
    alike: dict[tuple[str, ...], list[Alert]] = {}
    for alert in sorted(alerts, key=_urgency):
        alike.setdefault(_sentences(alert, differing), []).append(alert)
    groups = list(alike.values())
    told = Counter(_told(group[0], differing) for group in groups)
    lines = []
    for group in groups[:_MAX_SHOWN_ALERTS]:
        first = group[0]
        is_clear = told[_told(first, differing)] == 1
        if len(group) == 1:
            text = _distinction(first, differing, is_clear=is_clear)
            lines.append(_paragraph(first, now, text))
            continue
        same = {*_common(group)}
        varying = [n for n in differing if (n, first.label(n)) not in same]
        kept = replace(
            first,
            active_at=min(alert.active_at for alert in group),
            labels=tuple(pair for pair in first.labels if pair in same),
        )
        lines.append(_paragraph(kept, now, _distinction(kept, differing, is_clear=is_clear)))
        lines.append(_values(group, varying))
    rest = [alert for group in groups[_MAX_SHOWN_ALERTS:] for alert in group]
    if rest:
        lines.append(f"and {len(rest):,} more: {_counted(rest)}")
    return lines


def _sentences(alert: Alert, differing: Sequence[str]) -> tuple[str, ...]:
    """Return what is said of an alert; alerts of which the same is said share a paragraph."""
    summary = alert.annotation("summary")
    said_apart = [name for name in differing if name not in _REPLICA]
    texts = [] if alert.is_resolved else [alert.annotation(name) for name in _TEXTS]
    labels = (f"{name}={alert.label(name)}" for name in said_apart)
    return (alert.label("alertname"), summary, *texts, *labels)


def _urgency(alert: Alert) -> tuple[int, bool, float]:
    """Return a sort key: the worst severity first, then the largest value, then those without."""
    value = alert.value
    is_number = value is not None and not math.isnan(value)
    return rank(alert.label("severity")), not is_number, -value if value and is_number else 0.0


def _paragraph(alert: Alert, now: float, distinction: str) -> str:
    summary = alert.annotation("summary") or alert.label("alertname")
    parts = [_sentence(f"**{_plain(summary).rstrip('.')}**{distinction}")]
    texts = () if alert.is_resolved else map(alert.annotation, _TEXTS)
    parts += [_sentence(_plain(text)) for text in texts if text]
    parts.append(_when(alert, now))
    return " ".join(parts)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _when(alert: Alert, now: float) -> str:
    begin = _utc(alert.active_at)
    if alert.resolved_at is None:
        return f"Since {begin}, for {_duration(now - alert.active_at)}."
    duration = _duration(alert.resolved_at - alert.active_at)
    return f"From {begin} to {_utc(alert.resolved_at)}, for {duration}."


def _told(alert: Alert, differing: Sequence[str]) -> tuple[str, str]:
    return alert.annotation("summary"), _distinction(alert, differing, is_clear=True)


def _distinction(alert: Alert, differing: Sequence[str], *, is_clear: bool) -> str:
    """Return the labels that distinguish an alert from the others.

    Those in its summary are left out if the rest is clear.
    """
    summary = alert.annotation("summary")
    if not summary:
        differing = [name for name, _ in alert.labels if name not in ("alertname", "severity")]
    shown = [
        value if name == "severity" else f"{name}={value}"
        for name in differing
        if (value := alert.label(name)) and not (is_clear and _names(summary, value))
    ]
    return f" ({_plain(', '.join(shown))})" if shown else ""


def _names(text: str, value: str) -> bool:
    """Return whether a text has a value as a word of its own."""
    return re.search(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", text) is not None


def _values(alerts: Sequence[Alert], names: Sequence[str]) -> str:
    """Return how many alerts say the same, and what distinguishes them."""
    name = names[0] if names else "alertname"
    values = sorted({alert.label(name) for alert in alerts})
    limit = _MAX_SHOWN_RESOLVED if alerts[0].is_resolved else _MAX_SHOWN_VALUES
    listed = ", ".join(values[:limit])
    more = f" and {len(values) - limit:,} more" if len(values) > limit else ""
    return f"{len(alerts):,} times, {name}: {_plain(listed)}{more}"


def _counted(alerts: Sequence[Alert]) -> str:
    """Return the number of alerts of each name, and of resolved ones which they are."""
    counts = Counter(alert.label("alertname") for alert in alerts)
    names = ", ".join(f"{_plain(name)} {n:,}" for name, n in counts.most_common(_MAX_SHOWN_VALUES))
    names += ", ..." if len(counts) > _MAX_SHOWN_VALUES else ""
    if not alerts[0].is_resolved:
        return names
    texts = [alert.annotation("summary") or _labels_of(alert) for alert in alerts]
    more = len(texts) - _MAX_SHOWN_RESOLVED
    named = "; ".join(texts[:_MAX_SHOWN_RESOLVED]) + (f"; and {more:,} more" if more > 0 else "")
    return f"{names} ({_plain(named)})"


def _labels_of(alert: Alert) -> str:
    return ", ".join(f"{name}={value}" for name, value in alert.labels if name != "alertname")


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
    line = line.translate(_LOOKALIKES).replace("](", "] (")
    return " ".join(map(_as_code, line.split(" ")))


def _as_code(word: str) -> str:
    """Return a word as a span of code if Markdown would change it, without the marks around it."""
    begin = len(word) - len(word.lstrip("("))
    end = len(word.rstrip(_MARKS))
    while word[begin:end].endswith(")") and word[begin:end].count(")") > word[begin:end].count("("):
        end = len(word[: end - 1].rstrip(_MARKS))
    name = word[begin:end]
    return f"{word[:begin]}`{name}`{word[end:]}" if _MARKUP.search(name) else word
