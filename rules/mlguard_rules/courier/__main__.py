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


_LIFE_SECONDS = 30
_LINK = re.compile(r"\[[^]]*\]\(([^)]*)\)")


def main() -> None:
    """Send, and tell what came of it."""
    # whoever stops the daemon and all its processes lets a message that is under way arrive
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.alarm(_LIFE_SECONDS)  # also where the daemon that waits for it is no more
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
    from apprise import Apprise  # noqa: PLC0415 - after the signals

    courier, message = Apprise(), job["message"]
    reason = "its URL is none that Apprise knows"
    if courier.add(job["url"]):
        longest = min(service.body_maxlen for service in courier)
        # what it is turned into is longer than Markdown
        body = _cut(message["body"], int(0.8 * longest) - len(message["title"]))
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


def _cut(body: str, longest: int) -> str:
    """Without the last of its alerts, where it is too long; what to do stays."""
    paragraphs = body.split("\n\n")
    footer = [p for p in paragraphs if p.startswith(("What to do: ", "Figures: "))]
    head = [p for p in paragraphs if p not in footer]
    if len(body) <= longest:
        return body
    while len(head) > 1 and len("\n\n".join([*head, "...", *footer])) > longest:
        head.pop()
    return "\n\n".join([*head, "...", *footer])


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
