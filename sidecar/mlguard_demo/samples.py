"""Sample events, sent over HTTP one by one."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from mlguard_sidecar.cli.client import NoAnswerError, request

_START_SECONDS = 10.0
_RETRY_SECONDS = 0.2
_COUNTRIES = ("CA", "DE", "US")


def sample_events(count: int) -> Iterator[dict[str, Any]]:
    """Yield events of a churn model, always the same ones."""
    chance = random.Random(9520)  # noqa: S311 - a demonstration
    for _ in range(count):
        age = round(chance.gauss(41, 12))
        balance = round(chance.lognormvariate(7, 1), 2)
        score = 1 / (1 + balance / 1000 * age / 40)
        yield {
            "project_id": "demo",
            "model_id": "churn_v1",
            "latency_ms": round(chance.lognormvariate(3.4, 0.5), 1),
            "y_pred": int(score > 0.5),
            "y_proba": round(score, 4),
            "features": {"age": age, "balance": balance, "country": chance.choice(_COUNTRIES)},
        }


def send_samples(
    url: str, count: int, pause: float, on_sent: Callable[[], None]
) -> tuple[int, list[str]]:
    """Send sample events to a sidecar that may be starting; return how many were counted.

    Args:
        url: address of the sidecar.
        count: number of events.
        pause: seconds between two events.
        on_sent: is called after each.

    Returns:
        How many were counted, and the messages of those that were not.

    Raises:
        RequestError: the sidecar does not answer, or refuses.
    """
    counted, messages = 0, []
    deadline = time.monotonic() + _START_SECONDS
    for event in sample_events(count):
        answer = _answer(url, event, deadline)
        counted += answer["accepted"]
        messages += [each["message"] for each in answer["rejected"]]
        on_sent()
        time.sleep(pause)
    return counted, messages


def _answer(url: str, event: dict[str, Any], deadline: float) -> Any:
    while True:
        try:
            return request(f"{url}/api/v1/events", event)
        except NoAnswerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
