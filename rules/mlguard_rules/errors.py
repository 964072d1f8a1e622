"""The errors of this package; the text of each is one line."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from pathlib import Path


class UnsupportedError(MLGuardError, ValueError):
    """An expression, or a regular expression in it, is wrong or outside the supported subset."""


class MatcherError(MLGuardError, ValueError):
    """A label matcher cannot be parsed."""


class EvaluationError(MLGuardError):
    """An expression has no result on the current samples, as in Prometheus."""


class TemplateError(MLGuardError, ValueError):
    """A template cannot be parsed, or cannot be expanded with these values."""


class RuleFileError(MLGuardError, ValueError):
    """A file of rules or of their tests cannot be used: `file:line: reason`."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")


class NotationError(MLGuardError, ValueError):
    """A series in a test file cannot be parsed."""


class SendReason(StrEnum):
    """Why a receiver did not accept a notification, a value of the label `reason`.

    REFUSED: it refuses this notification. CREDENTIALS: it refuses the URL's user, token or path.
    RATE_LIMIT, UNAVAILABLE: it asks to come later, or has a fault. TIMEOUT, CONNECTION,
    CERTIFICATE: it cannot be talked to. BAD_URL: Apprise does not know the URL.
    """

    REFUSED = "refused"
    CREDENTIALS = "credentials"
    RATE_LIMIT = "rate_limit"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    CERTIFICATE = "certificate"
    BAD_URL = "bad_url"
    UNKNOWN = "unknown"


class SendError(MLGuardError):
    """A receiver did not accept a notification; the text holds no secret.

    Attributes:
        reason: the kind of failure.
        retry_after: seconds for which the receiver asks to wait; None if it does not.
    """

    def __init__(
        self,
        text: str,
        reason: SendReason = SendReason.UNKNOWN,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after = retry_after

    @property
    def rejected(self) -> bool:
        """Whether the receiver refuses the notification itself."""
        return self.reason is SendReason.REFUSED


class BusyError(MLGuardError):
    """A route has sent its limit of notifications in the last minute; try again later."""
