"""The root of the project's errors."""

from __future__ import annotations


class MLGuardError(Exception):
    """Error that the user can fix; the text is one line: found, expected, what to do."""
