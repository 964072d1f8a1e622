"""The runbook of the bundled alerts: rules/README.md, which an installation carries with it."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).parent
_PLACES = (_HERE / "runbook.md", _HERE.parent / "README.md")  # installed; in a checkout


def sections() -> dict[str, str]:
    """What each alert means and what to do, by its name."""
    text = next(place for place in _PLACES if place.is_file()).read_text(encoding="utf-8")
    parts = re.split(r"^(#{2,3}) (.+)$", text, flags=re.MULTILINE)
    return {
        name: body.strip()
        for sign, name, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
        if sign == "###"
    }
