"""Places of panels on the grid of a dashboard, which is 24 columns wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.models import dashboard as m

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.cog.builder import Builder


@dataclass(frozen=True)
class Placed:
    """A panel with its size.

    Attributes:
        panel: builder.
        width: of 24.
        height: in units of the grid.
    """

    panel: Builder[m.Panel]
    width: int
    height: int


def place(rows: Sequence[Sequence[Placed]]) -> list[m.Panel | m.RowPanel]:
    """Return the panels of rows, from left to right and top to bottom, numbered from 1."""
    panels: list[m.Panel | m.RowPanel] = []
    top = 0
    for row in rows:
        left = 0
        for placed in row:
            panel = placed.panel.build()
            panel.id_val = len(panels) + 1
            panel.grid_pos = m.GridPos(h=placed.height, w=placed.width, x=left, y=top)
            panels.append(panel)
            left += placed.width
        top += max(placed.height for placed in row)
    return panels
