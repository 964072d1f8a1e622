"""The worker process: a job as a line of JSON on standard input, the result on standard output."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import threading

_REASONS = (
    (re.compile(r"error=(\d{3})\b"), "it answered HTTP {}"),
    (re.compile(r"(?i)\b(timed out|timeout)\b"), "it did not answer in time"),
    (re.compile(r"(?i)connection error|socket"), "no connection could be made"),
    (re.compile(r"(?i)authenticat|\b535\b|login"), "it refused the credentials"),
)
"""Reasons of failures by Apprise's log, which is not shown itself, as it may hold secrets."""

_MAX_SECONDS = 30
_LINK = re.compile(r"\[[^]]*\]\(([^)]*)\)")
_FOOTER = ("What to do: ", "Figures: ")


def main() -> None:
    """Send the notification, and write the result."""
    # a supervisor may signal every process of the daemon; the notification is still sent
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.alarm(_MAX_SECONDS)
    job = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    logging.lastResort = None
    lines: list[str] = []

    class Record(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = logging.getLogger("apprise")
    logger.addHandler(Record())
    logger.setLevel(logging.INFO)
    logger.propagate = False
    from apprise import Apprise  # noqa: PLC0415 - it is slow to import, and signals come first

    apprise = Apprise()
    reason = "its URL is none that Apprise knows"
    if apprise.add(job["url"]):
        max_length = min(service.body_maxlen for service in apprise)
        # what Markdown is converted to is longer
        body = _shorten(job["body"], int(0.8 * max_length) - len(job["title"]))
        accepted = apprise.notify(
            body=_without_markup(body) if job["plain"] else body,
            title=job["title"],
            notify_type=job["notify_type"],
            body_format="text" if job["plain"] else "markdown",
        )
        reason = "" if accepted else _reason(lines)
    status = re.search(r"HTTP (\d+)", reason)
    result = {
        "reason": reason,
        "status": int(status[1]) if status else None,
        "sent_to_some": any(line.startswith("Sent ") for line in lines),
    }
    sys.stdout.write(json.dumps(result))
    sys.stdout.flush()


def _exit_with_parent() -> None:
    """End this process when standard input is closed, as the parent has ended or gave up."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _shorten(body: str, max_length: int) -> str:
    """Return a text without the last of its alerts if it is too long; the footer stays."""
    paragraphs = body.split("\n\n")
    footer = [p for p in paragraphs if p.startswith(_FOOTER)]
    head = [p for p in paragraphs if p not in footer]
    if len(body) <= max_length:
        return body
    while len(head) > 1 and len("\n\n".join([*head, "...", *footer])) > max_length:
        head.pop()
    return "\n\n".join([*head, "...", *footer])


def _without_markup(body: str) -> str:
    """Return a text without markup, for a receiver that refuses it."""
    return _LINK.sub(r"\1", body.replace("**", ""))


def _reason(lines: list[str]) -> str:
    for line in reversed(lines):
        for pattern, reason in _REASONS:
            found = pattern.search(line)
            if found:
                return reason.format(*found.groups())
    return "it was not accepted"


if __name__ == "__main__":
    main()
