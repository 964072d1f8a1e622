"""Why a receiver did not accept a notification, from what Apprise and its libraries saw."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from mlguard_rules.apprise_worker.cleaning import Cleaner
from mlguard_rules.errors import SendReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_RETRY_AFTER = 3600.0
_HTTP_LATER = {408, 425, 429}
_HTTP_URL = {401, 402, 403, 404, 405, 407, 410}
"""Answers that refuse the URL, its credentials or path, not the notification."""

_SMTP_CREDENTIALS = {454, 530, 534, 535, 538}
_ACCESS = re.compile(
    r"(?i)invalid_auth|not_authed|account_inactive|token_(revoked|expired)"
    r"|no_(service|team|permission)"
    r"|team_|(channel|users?)_not_found|chat not found|not_in_channel|is_archived|restricted"
    r"|access_denied|missing_scope|org_login|unauthori[sz]ed|forbidden|invalid.?token"
    r"|token\b.{0,20}\binvalid|user is deactivated|bot was (blocked|kicked)"
)
"""Texts that refuse the credentials or the place where to send."""

_SENDER = re.compile(
    r"(?i)authenticat|sender|not permitted|not allowed|relay|\blisted\b|block(ed|list)|blacklist"
    r"|\bspf\b"
)
"""Texts of mail servers that refuse whatever this sender sends."""

_LATER = re.compile(r"rate_?limited|fatal_error|internal_error|service_unavailable|timeout")
_CODE = re.compile(r"[a-z]+(_[a-z]+)*")
_SMTP = re.compile(r"\((\d{3}), (b?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"))")

_TEXTS = (
    (
        re.compile(
            r"(?i)CERTIFICATE_VERIFY_FAILED[^:]*: (?P<text>[^(]*)|certificate verify failed"
        ),
        SendReason.CERTIFICATE,
        "its certificate is not trusted",
    ),
    (
        re.compile(
            r"(?i)wrong.version.number|SSLV3|TLSV1|EOF occurred in violation|SSLError|ssl\.c"
        ),
        SendReason.CERTIFICATE,
        "no TLS connection could be made",
    ),
    (
        re.compile(r"(?i)AUTH extension not supported|No suitable authentication method"),
        SendReason.CREDENTIALS,
        "it takes no user and password, but the URL has them",
    ),
    (
        re.compile(r"(?i)STARTTLS extension not supported"),
        SendReason.CONNECTION,
        "it does not offer STARTTLS, which the URL asks for",
    ),
    (
        re.compile(r"(?i)name or service not known|getaddrinfo|name resolution|nodename nor"),
        SendReason.CONNECTION,
        "its host name is not known",
    ),
    (re.compile(r"(?i)timed out|timeout"), SendReason.TIMEOUT, "it did not answer in time"),
    (
        re.compile(r"(?i)connection error|socket|refused|unreachable|reset by peer|closed"),
        SendReason.CONNECTION,
        "no connection could be made",
    ),
    (re.compile(r"(?i)authenticat|login"), SendReason.CREDENTIALS, "it refused the credentials"),
)
"""Reasons by what was logged or raised, the most telling first."""


@dataclass(frozen=True)
class Answer:
    """Answer of a receiver over HTTP.

    Attributes:
        status: HTTP status.
        headers: its headers.
        body: beginning of its body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Outcome:
    """Why a notification was not accepted.

    Attributes:
        reason: the kind of failure.
        text: what was answered, for people; it holds no secret.
        retry_after: seconds for which the receiver asks to wait; None if it does not.
    """

    reason: SendReason
    text: str
    retry_after: float | None = None


def outcome_of(events: Sequence[Answer | str], lines: Sequence[str], url: str) -> Outcome:
    """Return why a notification was not accepted.

    Args:
        events: answers over HTTP and errors of connections, in order.
        lines: what was logged.
        url: of the receiver, whose secrets are removed from the text.
    """
    clean = Cleaner(url)
    for event in reversed(events):
        found = _of_text([event], clean) if isinstance(event, str) else _of_http(event, clean)
        if found is not None:
            return found
    for line in reversed(lines):
        found = _of_smtp(line, clean)
        if found is not None:
            return found
    return _of_text(lines, clean) or Outcome(SendReason.UNKNOWN, "it was not accepted")


def _of_text(lines: Sequence[str], clean: Cleaner) -> Outcome | None:
    for pattern, reason, text in _TEXTS:
        for line in reversed(lines):
            match = pattern.search(line)
            if match:
                detail = match.groupdict().get("text")
                return Outcome(reason, f"{text}: {clean(detail)}" if detail else text)
    return None


def _of_http(answer: Answer, clean: Cleaner) -> Outcome | None:
    """Return why an answer is a refusal; None if it is none."""
    status, text = answer.status, _text_of(answer.body)
    after = _retry_after(answer)
    if status < 300:
        if not _says_no(answer.body, text):
            return None
        shown = f"it answered {clean(text)}"
    else:
        shown = f"it answered HTTP {status}" + (f": {clean(text)}" if text else "")
    if status == 429:
        return Outcome(SendReason.RATE_LIMIT, shown, after)
    if status in _HTTP_LATER or status >= 500 or _LATER.fullmatch(text):
        return Outcome(SendReason.UNAVAILABLE, shown, after)
    if status in _HTTP_URL or 300 <= status < 400 or _ACCESS.search(text):
        return Outcome(SendReason.CREDENTIALS, shown, after)
    return Outcome(SendReason.REFUSED, shown, after)


def _says_no(body: bytes, text: str) -> bool:
    """Return whether the body of a success is the name of an error, as Slack's."""
    tree = _tree(body)
    if isinstance(tree, dict):
        return tree.get("ok") is False and bool(text)
    return tree is None and text != "ok" and "_" in text and _CODE.fullmatch(text) is not None


def _of_smtp(line: str, clean: Cleaner) -> Outcome | None:
    found = _SMTP.search(line)
    if found is None:
        return None
    code, raw = int(found[1]), ast.literal_eval(found[2])
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    text = re.sub(r"^\d\.\d+\.\d+ ", "", " ".join(text.split()))
    shown = f"it answered {code}" + (f": {clean(text)}" if text else "")
    if "TLS" in text.upper():
        return Outcome(SendReason.CONNECTION, f"it wants or lacks TLS, {shown.removeprefix('it ')}")
    if code in _SMTP_CREDENTIALS:
        text = f"it refused the credentials, {shown.removeprefix('it ')}"
        return Outcome(SendReason.CREDENTIALS, text)
    if code < 500:
        return Outcome(SendReason.UNAVAILABLE, shown)
    return Outcome(SendReason.CREDENTIALS if _SENDER.search(text) else SendReason.REFUSED, shown)


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds that a receiver asks to wait: in a header, or in Telegram's body."""
    value = next((v for k, v in answer.headers.items() if k.lower() == "retry-after"), "")
    seconds: float | None = None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        seconds = float(value)
    elif value:
        with contextlib.suppress(ValueError):
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
    tree = _tree(answer.body)
    if seconds is None and isinstance(tree, dict):
        inner = tree.get("parameters")
        asked = (inner if isinstance(inner, dict) else tree).get("retry_after")
        seconds = float(asked) if isinstance(asked, int | float) else None
    return None if seconds is None else min(max(seconds, 0.0), _MAX_RETRY_AFTER)


def _tree(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _text_of(body: bytes) -> str:
    """Return the error that an answer names, or its short text."""
    text, tree = body.decode("utf-8", "replace").strip(), _tree(body)
    if tree is None:
        return "" if text.startswith("<") else text
    if not isinstance(tree, dict):
        return ""
    for name in ("error", "message", "description", "detail", "reason", "errors"):
        found = tree.get(name)
        if isinstance(found, str):
            return found
        if isinstance(found, list) and found and all(isinstance(each, str) for each in found):
            return "; ".join(found)
    return ""
