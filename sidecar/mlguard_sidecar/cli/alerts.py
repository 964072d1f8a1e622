"""`mlguard alerts`: active alerts, silences and test notifications."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
import time
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from mlguard_common.config import ConfigError, Duration, load_config
from mlguard_rules.apprise_worker import send
from mlguard_rules.errors import SendError
from mlguard_rules.notify import Notification, NotifyConfig, parse_matchers
from mlguard_sidecar.cli.client import RequestError, request
from mlguard_sidecar.cli.options import URL, fail
from mlguard_sidecar.cli.table import table

_SHORT, _LONG = 40, 120
"""Maximal characters of a cell of a table."""

_TEST = Notification(
    "[INFO] ML Guard: a test message",
    "**This is a test.**  \nAlerts of ML Guard will be sent here too.",
    "info",
)


class _Notify(msgspec.Struct):
    """Section that the configurations of all daemons have."""

    notify: NotifyConfig = NotifyConfig()


@click.group()
def alerts() -> None:
    """List and silence alerts; send test notifications."""


@alerts.command("list")
@URL
@click.option("--silences", is_flag=True, help="List silences instead.")
def alerts_list(*, url: str, silences: bool) -> None:
    """List the alerts of a running sidecar or exporter."""
    if silences:
        _list_silences(url)
        return
    found = _ask(f"{url}/api/v1/alerts")["data"]["alerts"]
    rows = [("STATE", "SEVERITY", "SINCE", "ALERT", "WHAT")]
    for alert in sorted(found, key=lambda a: (a["state"], a["activeAt"])):
        state = alert["state"] + (" (silenced)" if alert["silenced"] else "")
        labels, annotations = alert["labels"], alert["annotations"]
        summary = annotations.get("summary") or ", ".join(f"{k}={v}" for k, v in labels.items())
        severity = _plain(labels.get("severity", "-"), _SHORT)
        name = _plain(labels.get("alertname", "-"), _SHORT)
        rows.append((state, severity, _short(alert["activeAt"]), name, _plain(summary, _LONG)))
    click.echo(table(rows) if found else "No alerts.")


def _list_silences(url: str) -> None:
    found = _ask(f"{url}/api/v1/silences")["data"]
    rows = [("ID", "UNTIL", "MATCHERS", "COMMENT")]
    for silence in found:
        until, matchers = _short(silence["ends_at"]), _plain(" ".join(silence["matchers"]), _LONG)
        rows.append((silence["id"] or "-", until, matchers, _plain(silence["comment"], _LONG)))
    click.echo(table(rows) if found else "No silences.")


@alerts.command("silence")
@click.argument("matchers", nargs=-1, metavar="MATCHER...")
@click.option("--for", "duration", metavar="DURATION", help="Duration of the silence: 30m, 2h, 7d.")
@click.option("--until", metavar="TIME", help="End of the silence: 2026-01-31T18:00, in UTC.")
@click.option("--comment", default="", help="Reason of the silence.")
@click.option("--end", "silence_id", metavar="ID", help="End a silence.")
@URL
def alerts_silence(
    *,
    matchers: tuple[str, ...],
    duration: str | None,
    until: str | None,
    comment: str,
    silence_id: str | None,
    url: str,
) -> None:
    """Silence alerts that all MATCHERS match, such as: feature=age severity!=critical."""
    if silence_id is not None:
        _ask(f"{url}/api/v1/silences/{urllib.parse.quote(silence_id, safe='')}", method="DELETE")
        click.echo(f"silence {silence_id} is ended")
        return
    if not matchers:
        fail("name at least one matcher, such as feature=age")
    try:
        for text in matchers:
            parse_matchers(text)
        ends = _end(duration, until)
    except ValueError as error:
        fail(str(error))
    body = {
        "matchers": list(matchers),
        "ends_at": ends.isoformat(),
        "comment": comment,
        "author": _user(),
    }
    silence = _ask(f"{url}/api/v1/silences", body)["data"]
    until = _short(silence["ends_at"])
    click.echo(f"silence {silence['id']} until {until}: {' '.join(silence['matchers'])}")


@alerts.command("test-notify")
@click.option(
    "--config",
    required=True,
    type=click.Path(path_type=Path),
    help="Configuration file of the daemon.",
)
@click.option("--receiver", "only", metavar="NAME", help="Send to this receiver only.")
def alerts_test_notify(*, config: Path, only: str | None) -> None:
    """Send a test notification to the receivers of a configuration."""
    try:
        receivers = load_config(config, _Notify).notify.receivers
        chosen = {r.name: r.read_url() for r in receivers if only in (None, r.name)}
    except ConfigError as error:
        fail(str(error))
    if not chosen:
        known = ", ".join(r.name for r in receivers) or "none"
        fail(f"{config}: no receiver{'' if only is None else ' ' + only}; it has: {known}")
    failed = False
    for name, url in chosen.items():
        try:
            asyncio.run(send(url, _TEST))
        except SendError as error:
            click.echo(f"{name}: not sent: {error}", err=True)
            failed = True
        else:
            click.echo(f"{name}: sent")
    sys.exit(1 if failed else 0)


def _end(duration: str | None, until: str | None) -> datetime:
    if (duration is None) is (until is None):
        raise ValueError("give the end with either --for or --until")
    if duration is not None:
        return datetime.fromtimestamp(time.time() + Duration(duration).seconds, UTC)
    end = datetime.fromisoformat(str(until))
    return end if end.tzinfo else end.replace(tzinfo=UTC)


def _ask(url: str, body: object = None, method: str | None = None) -> Any:
    """Return the JSON that a daemon answers; an error ends the command."""
    try:
        return request(url, body, method)
    except RequestError as error:
        fail(str(error))


def _user() -> str:
    """Return the name of the user, or its number if it has no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _plain(text: str, max_length: int | None = None) -> str:
    """Return a foreign text on one line, shortened, without control characters."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:max_length]
    )
    if max_length is None or max(len(text), len(shown)) <= max_length:
        return shown
    return shown[: max_length - 1] + "…"


def _short(time: str | None) -> str:
    return "-" if time is None else f"{time[:10]} {time[11:16]} UTC"
