"""`mlguard alerts`: what fires, and who is told."""

from __future__ import annotations

import asyncio
import getpass
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from mlguard_common.config import ConfigError, Duration, load_config
from mlguard_rules.courier import carry
from mlguard_rules.notify import DeliveryError, Matcher, Message, NotifyConfig
from mlguard_sidecar.cli.table import table

_URL = click.option(
    "--url",
    default="http://127.0.0.1:9520",
    show_default=True,
    callback=lambda _context, _option, url: url.rstrip("/"),
)
_SHORT, _LONG = 40, 120
"""Characters of a cell of a table."""

_TEST = Message(
    "[INFO] ML Guard: a test message",
    "**This is a test.**  \nWhoever reads it will also read the alerts of ML Guard.",
    "info",
)


class _Notify(msgspec.Struct):
    """What the configurations of all daemons have in common."""

    notify: NotifyConfig = NotifyConfig()


@click.group()
def alerts() -> None:
    """What fires, and who is told."""


@alerts.command("list")
@_URL
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
@click.option("--for", "duration", metavar="DURATION", help="For so long: 30m, 2h, 7d.")
@click.option("--until", metavar="TIME", help="Until 2026-01-31T18:00, in UTC.")
@click.option("--comment", default="", help="Why.")
@click.option("--end", "ended", metavar="ID", help="End a silence.")
@_URL
def alerts_silence(
    *,
    matchers: tuple[str, ...],
    duration: str | None,
    until: str | None,
    comment: str,
    ended: str | None,
    url: str,
) -> None:
    """Tell nobody of alerts that all MATCHERS hold for: feature=age severity!=critical."""
    if ended is not None:
        _ask(f"{url}/api/v1/silences/{urllib.parse.quote(ended, safe='')}", method="DELETE")
        click.echo(f"silence {ended} is ended")
        return
    if not matchers:
        _fail("name at least one matcher, such as feature=age")
    try:
        for text in matchers:
            Matcher.parse(text)
        ends = _end(duration, until)
    except ValueError as error:
        _fail(str(error))
    body = {
        "matchers": list(matchers),
        "ends_at": ends.isoformat(),
        "comment": comment,
        "author": _user(),
    }
    made = _ask(f"{url}/api/v1/silences", body)["data"]
    until = _short(made["ends_at"])
    click.echo(f"silence {made['id']} until {until}: {' '.join(made['matchers'])}")


@alerts.command("test-notify")
@click.option("--config", required=True, type=click.Path(path_type=Path), help="The configuration.")
@click.option("--receiver", "only", metavar="NAME", help="Only to this one.")
def alerts_test_notify(*, config: Path, only: str | None) -> None:
    """Send a test message to the receivers of a configuration."""
    try:
        receivers = load_config(config, _Notify).notify.receivers
        chosen = {r.name: r.read_url() for r in receivers if only in (None, r.name)}
    except ConfigError as error:
        _fail(str(error))
    if not chosen:
        known = ", ".join(r.name for r in receivers) or "none"
        _fail(f"{config}: no receiver{'' if only is None else ' ' + only}; it has: {known}")
    failed = False
    for name, url in chosen.items():
        try:
            asyncio.run(carry(url, _TEST))
        except DeliveryError as error:
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
    moment = datetime.fromisoformat(str(until))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _ask(url: str, body: object = None, method: str | None = None) -> Any:
    """What a daemon answers in JSON; a refusal ends the command."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - the user names it
        url, data, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            reason = json.load(error)["error"]
        except (ValueError, KeyError, TypeError):
            reason = f"HTTP {error.code}"
        _fail(f"{url}: {reason}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        _fail(f"nobody answers at {url}: {error}")


def _user() -> str:
    """The name of who asks; in a container it may have none, and is told by its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _plain(text: str, most: int | None = None) -> str:
    """A text of others on one line, cut to so many characters; a terminal obeys nothing in it."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most]
    )
    if most is None or max(len(text), len(shown)) <= most:
        return shown
    return shown[: most - 1] + "…"


def _short(moment: str | None) -> str:
    return "-" if moment is None else f"{moment[:10]} {moment[11:16]} UTC"


def _fail(text: str) -> NoReturn:
    click.echo(f"mlguard: {_plain(text)}", err=True)
    sys.exit(2)
