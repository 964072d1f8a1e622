"""Answers to requests that may be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlguard_sidecar.wire import ModelKey


@dataclass(frozen=True)
class KeptAnswer:
    """Answer to a request with an `Idempotency-Key`, kept for its repetitions.

    Attributes:
        key: the key.
        digest: SHA-256 of the unpacked body.
        status: HTTP status of the answer.
        body: the answer.
        models: models of its events; if one of them cannot be stored, the answer is not kept.
    """

    key: str
    digest: bytes
    status: int
    body: bytes
    models: frozenset[ModelKey] = frozenset()
