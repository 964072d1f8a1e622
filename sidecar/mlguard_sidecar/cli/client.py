"""Requests of the commands to a running daemon."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from typing import Any

from mlguard_common.errors import MLGuardError
from mlguard_common.web.config import KEY_VARIABLE


class RequestError(MLGuardError):
    """A daemon does not answer, or refuses.

    Attributes:
        status: HTTP status of the refusal; None without an answer.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class NoAnswerError(RequestError):
    """Nobody answers, or something else than a daemon."""


def request(url: str, body: object = None, method: str | None = None, seconds: float = 10.0) -> Any:
    """Return the JSON that a daemon answers; the key in MLGUARD_API_KEY is sent with it.

    Args:
        url: the address.
        body: what is sent, as JSON; None for nothing.
        method: GET, or POST with a body, by default.
        seconds: how long to wait for the answer.

    Raises:
        RequestError: the daemon refuses.
        NoAnswerError: nobody answers, or something else does.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if os.environ.get(KEY_VARIABLE):
        headers["X-API-Key"] = os.environ[KEY_VARIABLE]
    asked = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the user's
    try:
        with urllib.request.urlopen(asked, timeout=seconds) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RequestError(f"{url}: {_reason(error)}", error.code) from error
    except ValueError as error:
        raise NoAnswerError(f"no answer from {url}: what answers is not an ML Guard") from error
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(f"no answer from {url}: {error}") from error


def _reason(error: urllib.error.HTTPError) -> str:
    """Return what an error's body says, or its status."""
    text = error.read().decode("utf-8", "replace").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        is_short = text.isprintable() and 0 < len(text) < 300
        return f"HTTP {error.code}: {text}" if is_short else f"HTTP {error.code}"
