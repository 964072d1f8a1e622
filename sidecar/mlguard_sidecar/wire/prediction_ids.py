"""IDs of predictions, by which their outcomes find them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlguard.protocol import MAX_NAME_LENGTH
from mlguard_sidecar.wire.errors import InvalidValues, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_INTEGER = 10**MAX_NAME_LENGTH
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)\.0+")

EXPECTED = f"expected 1 to {MAX_NAME_LENGTH} printable characters, or an integer"


def read_id(value: object) -> str | None:
    """Return an ID as a text; None if it is none.

    A whole number has the same ID in any form: 17, 17.0 (as in a column that lacks values), `17`
    and `17.0` (as such a column is written to CSV) are equal.
    """
    if isinstance(value, str):
        if value.endswith("0") and len(value) <= MAX_NAME_LENGTH and _WHOLE.fullmatch(value):
            return str(int(value.partition(".")[0]))
        return value if 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable() else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_INTEGER:
        return str(value)
    return None


def read_ids(values: Sequence[object], invalid: list[InvalidValues]) -> Sequence[str | None] | None:
    """Return the IDs of predictions; None if none has one.

    Args:
        values: raw values, None for a prediction without an ID.
        invalid: what is no ID is added to it.
    """
    if values.count(None) == len(values):
        return None
    ids = [None if value is None else read_id(value) for value in values]
    wrong = sum(a is None and b is not None for a, b in zip(ids, values, strict=True))
    if wrong:
        invalid.append(InvalidValues(Reason.BAD_PREDICTION_ID, f"id: {EXPECTED}", wrong))
    return ids
