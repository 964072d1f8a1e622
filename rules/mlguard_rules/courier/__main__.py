"""The process: one job as JSON on standard input, what came of it as JSON on standard output."""

from __future__ import annotations

import json
import logging
import re
import signal
import sys

_REASONS = (
    (re.compile(r"error=(\d{3})\b"), "it answered HTTP {}"),
    (re.compile(r"(?i)\b(timed out|timeout)\b"), "it did not answer in time"),
    (re.compile(r"(?i)connection error|socket"), "no connection could be made"),
    (re.compile(r"(?i)authenticat|\b535\b|login"), "it refused the credentials"),
)
"""What may be told of a failure: nothing of a log's own words, as these may hold a secret."""


_LINK = re.compile(r"\[[^]]*\]\(([^)]*)\)")


def main() -> None:
    """Send, and tell what came of it."""
    # whoever stops the daemon and all its processes lets a message that is under way arrive
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = json.load(sys.stdin)
    logging.lastResort = None
    told: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    logger = logging.getLogger("apprise")
    logger.addHandler(Keep())
    logger.setLevel(logging.INFO)
    logger.propagate = False
    from apprise import Apprise, OverflowMode  # noqa: PLC0415 - after the signals

    courier, message = Apprise(), job["message"]
    reason = "its URL is none that Apprise knows"
    if courier.add(job["url"]):
        for service in courier:
            if "overflow=" not in job["url"]:
                # rather than have a long message refused
                service.overflow_mode = OverflowMode.SPLIT
        body = message["body"]
        taken = courier.notify(
            body=_plain(body) if job["plain"] else body,
            title=message["title"],
            notify_type=message["kind"],
            body_format="text" if job["plain"] else "markdown",
        )
        reason = "" if taken else _reason(told)
    status = re.search(r"HTTP (\d+)", reason)
    answer = {
        "reason": reason,
        "status": int(status[1]) if status else None,
        "partly": any(line.startswith("Sent ") for line in told),
    }
    sys.stdout.write(json.dumps(answer))


def _plain(body: str) -> str:
    """Without markup, for a receiver that could not read it."""
    return _LINK.sub(r"\1", body.replace("**", ""))


def _reason(told: list[str]) -> str:
    for line in reversed(told):
        for pattern, reason in _REASONS:
            found = pattern.search(line)
            if found:
                return reason.format(*found.groups())
    return "it did not take it"


if __name__ == "__main__":
    main()
