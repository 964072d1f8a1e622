"""The errors of this package; the text of each is one line."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from pathlib import Path


class UnsupportedError(MLGuardError, ValueError):
    """An expression is wrong or outside the supported subset."""


class PatternError(UnsupportedError):
    """A regular expression is wrong.

    Attributes:
        reason: what is wrong, without any part of the expression.
    """

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(f"the regular expression {pattern!r} is wrong: {reason}")
        self.reason = f"the regular expression is wrong: {reason}"


class MatcherError(MLGuardError, ValueError):
    """A label matcher cannot be parsed.

    Attributes:
        reason: what is wrong, without any part of the matcher.
    """

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f'expected a matcher such as severity="critical", found {text!r}: {reason}'
        )
        self.reason = reason


class EvaluationError(MLGuardError):
    """An expression has no result on the current samples, as in Prometheus."""


class TemplateError(MLGuardError, ValueError):
    """A template cannot be parsed, or cannot be expanded with these values."""


class RuleFileError(MLGuardError, ValueError):
    """A file of rules or of their tests cannot be used: `file:line: reason`.

    Attributes:
        line: from 1.
        reason: without file and line.
    """

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")
        self.line = line
        self.reason = reason


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
