"""The process: one job as JSON on standard input, what came of it as JSON on standard output."""

from __future__ import annotations

import json
import logging
import re
import sys

_REASONS = (
    (re.compile(r"error=(\d{3})\b"), "it answered HTTP {}"),
    (re.compile(r"(?i)\b(timed out|timeout)\b"), "it did not answer in time"),
    (re.compile(r"(?i)connection error|socket"), "no connection could be made"),
    (re.compile(r"(?i)authenticat|\b535\b|login"), "it refused the credentials"),
)
"""What may be told of a failure: nothing of a log's own words, as these may hold a secret."""


def main() -> None:
    """Send, and tell what came of it."""
    job = json.load(sys.stdin)
    logging.disable(logging.DEBUG)
    logging.lastResort = None
    told: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    logging.getLogger().addHandler(Keep())
    from apprise import Apprise  # noqa: PLC0415 - it reads the logging set-up

    courier = Apprise()
    message, reason = job["message"], "its URL is none that Apprise knows"
    if courier.add(job["url"]):
        taken = courier.notify(
            body=message["body"],
            title=message["title"],
            notify_type=message["kind"],
            body_format="markdown",
        )
        reason = "" if taken else _reason(told)
    status = re.search(r"HTTP (\d+)", reason)
    sys.stdout.write(json.dumps({"reason": reason, "status": int(status[1]) if status else None}))


def _reason(told: list[str]) -> str:
    for line in reversed(told):
        for pattern, reason in _REASONS:
            found = pattern.search(line)
            if found:
                return reason.format(*found.groups())
    return "it did not take it"


if __name__ == "__main__":
    main()
