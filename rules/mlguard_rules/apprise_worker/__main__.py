"""The worker process: a job as a line of JSON on standard input, the result on standard output."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from typing import Any

from mlguard_rules.apprise_worker.body import shorten, without_markup
from mlguard_rules.apprise_worker.outcome import Answer, Outcome, outcome_of
from mlguard_rules.errors import SendReason

_MAX_SECONDS = 30
_MAX_BODY = 2000


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
    logger.setLevel(logging.DEBUG)  # which tells what a mail server answered
    logger.propagate = False
    from apprise import Apprise  # noqa: PLC0415 - it is slow to import, and signals come first

    answers = _recorded_answers()
    apprise = Apprise()
    outcome: Outcome | None = Outcome(SendReason.BAD_URL, "its URL is none that Apprise knows")
    if apprise.add(job["url"]):
        lines.clear()
        max_length = min(service.body_maxlen for service in apprise)
        # what Markdown is converted to is longer
        body = shorten(job["body"], int(0.8 * max_length) - len(job["title"]))
        accepted = apprise.notify(
            body=without_markup(body) if job["plain"] else body,
            title=job["title"],
            notify_type=job["notify_type"],
            body_format="text" if job["plain"] else "markdown",
        )
        outcome = None if accepted else outcome_of(answers, lines, job["url"])
    result = {
        "reason": outcome.reason if outcome else None,
        "text": outcome.text if outcome else "",
        "retry_after": outcome.retry_after if outcome else None,
        "sent_to_some": any(line.startswith("Sent ") for line in lines),
    }
    sys.stdout.write(json.dumps(result))
    sys.stdout.flush()


def _recorded_answers() -> list[Answer | str]:
    """Return a list to which each answer and error over HTTP of this process is added."""
    import requests  # noqa: PLC0415 - Apprise has imported it

    events: list[Answer | str] = []
    send = requests.Session.send

    def recording(*arguments: Any, **options: Any) -> requests.Response:
        try:
            answer = send(*arguments, **options)
        except requests.RequestException as error:
            events.append(f"connection error: {error}")
            raise
        events.append(
            Answer(answer.status_code, dict(answer.headers), (answer.content or b"")[:_MAX_BODY])
        )
        return answer

    requests.Session.send = recording  # type: ignore[method-assign]
    return events


def _exit_with_parent() -> None:
    """End this process when standard input is closed, as the parent has ended or gave up."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
