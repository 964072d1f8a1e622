"""Answers to requests that may be repeated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KeptAnswer:
    """Answer to a request with an `Idempotency-Key`, kept for its repetitions.

    Attributes:
        key: the key.
        digest: SHA-256 of the unpacked body.
        status: HTTP status of the answer.
        body: the answer.
    """

    key: str
    digest: bytes
    status: int
    body: bytes
