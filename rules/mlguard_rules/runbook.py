"""The runbook of the bundled alerts: rules/README.md, which is part of the installation."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).parent
_PATHS = (_HERE / "runbook.md", _HERE.parent / "README.md")  # installed; in a checkout


def runbook_sections() -> dict[str, str]:
    """Return the section of each alert, by its name."""
    text = next(path for path in _PATHS if path.is_file()).read_text(encoding="utf-8")
    parts = re.split(r"^(#{2,3}) (.+)$", text, flags=re.MULTILINE)
    return {
        name: body.strip()
        for sign, name, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
        if sign == "###"
    }
