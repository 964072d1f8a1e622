"""The root of the project's errors."""

from __future__ import annotations


class MLGuardError(Exception):
    """Something that the user can mend; the text is one line: found, expected, what to do."""
