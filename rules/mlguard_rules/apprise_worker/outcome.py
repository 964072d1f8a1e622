"""Why a receiver did not accept a notification, from what Apprise and its libraries saw."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mlguard_rules.errors import SendReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_TEXT = 120
_MIN_SECRET = 4
_MAX_RETRY_AFTER = 3600.0

_HTTP_CREDENTIALS = {401, 403, 404, 407, 410}
_HTTP_LATER = {408, 425, 429}
_SMTP_CREDENTIALS = {454, 530, 534, 535, 538}
_SLACK_CREDENTIALS = re.compile(
    r"auth|token|account_inactive|no_service|no_team|not_allowed|missing_scope|channel_not_found"
    r"|not_in_channel|is_archived|restricted|access_denied|org_login"
)
_SLACK_LATER = re.compile(r"rate_?limited|fatal_error|internal_error|service_unavailable|timeout")

_SMTP = re.compile(r"\(?\b([245]\d\d)(?:, b?| )(['\"]?)(.{0,400})", re.DOTALL)
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


def outcome_of(answers: Sequence[Answer], lines: Sequence[str], url: str) -> Outcome:
    """Return why a notification was not accepted.

    Args:
        answers: answers over HTTP, in order.
        lines: what was logged and raised.
        url: of the receiver, whose secrets are removed from the text.
    """
    clean = _Cleaner(url)
    if answers:
        return _of_http(answers[-1], clean)
    for line in reversed(lines):
        found = _of_smtp(line, clean)
        if found is not None:
            return found
    for pattern, reason, text in _TEXTS:
        for line in reversed(lines):
            match = pattern.search(line)
            if match:
                detail = match.groupdict().get("text")
                return Outcome(reason, f"{text}: {clean(detail)}" if detail else text)
    return Outcome(SendReason.UNKNOWN, "it was not accepted")


def _of_http(answer: Answer, clean: _Cleaner) -> Outcome:
    status, text = answer.status, _text_of(answer.body)
    after = _retry_after(answer.headers)
    shown = f"it answered HTTP {status}" + (f": {clean(text)}" if text else "")
    if status in _HTTP_CREDENTIALS:
        return Outcome(SendReason.CREDENTIALS, shown, after)
    if status in _HTTP_LATER or status >= 500:
        reason = SendReason.RATE_LIMIT if status == 429 else SendReason.UNAVAILABLE
        return Outcome(reason, shown, after)
    if status < 400:
        shown = f"it answered {clean(text)}" if text else shown
        if _SLACK_CREDENTIALS.search(text):
            return Outcome(SendReason.CREDENTIALS, shown, after)
        if _SLACK_LATER.search(text):
            return Outcome(SendReason.UNAVAILABLE, shown, after)
    return Outcome(SendReason.REFUSED, shown, after)


def _of_smtp(line: str, clean: _Cleaner) -> Outcome | None:
    if "Exception" not in line and "SMTP" not in line:
        return None
    found = _SMTP.search(line)
    if found is None:
        return None
    code, text = int(found[1]), re.split(r"(?<!\\)['\"]\)?[,})]?|$", found[3])[0]
    text = re.sub(r"^\d\.\d+\.\d+ ", "", text.replace("\\n", " "))
    shown = f"it answered {code}" + (f": {clean(text)}" if text.strip() else "")
    if code in _SMTP_CREDENTIALS:
        return Outcome(
            SendReason.CREDENTIALS, f"it refused the credentials, {shown.removeprefix('it ')}"
        )
    return Outcome(SendReason.UNAVAILABLE if code < 500 else SendReason.REFUSED, shown)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "")
    return min(float(value), _MAX_RETRY_AFTER) if re.fullmatch(r"\d{1,9}(\.\d+)?", value) else None


def _text_of(body: bytes) -> str:
    """Return the error that an answer names, or its short text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        tree: Any = json.loads(text)
    except ValueError:
        return "" if text.startswith("<") else text
    if isinstance(tree, dict):
        for name in ("error", "message", "description", "detail", "reason"):
            if isinstance(tree.get(name), str):
                return str(tree[name])
    return ""


class _Cleaner:
    """Makes a receiver's text short and printable, without parts of its URL."""

    def __init__(self, url: str) -> None:
        parts = re.split(r"[/:@?&=#+]+", url.partition("://")[2])
        secrets = {*parts, *map(unquote, parts)}
        self._secrets = sorted((s for s in secrets if len(s) >= _MIN_SECRET), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 3] + "..."
