"""Which baseline rules: a file, the folder, what was put or promoted, or what is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mlguard_common.errors import MLGuardError
from mlguard_sidecar.histogram import OTHER
from mlguard_sidecar.models.places import OTHER_MODEL

if TYPE_CHECKING:
    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.wire import ModelKey


class Origin(StrEnum):
    """How a model came to its baseline."""

    FILE = "file"
    FOLDER = "folder"
    PUT = "put"
    PROMOTED = "promoted"
    LEARNT = "first_events"

    @property
    def is_file(self) -> bool:
        """Whether it is a file, which alone may change the baseline."""
        return self in {Origin.FILE, Origin.FOLDER}


@dataclass(frozen=True)
class Chosen:
    """Baseline, and how the model came to it."""

    baseline: Baseline
    origin: Origin


class BaselineRefusedError(MLGuardError):
    """A baseline cannot be replaced or learnt now; the text says why, in one line."""


class UnknownModelError(BaselineRefusedError):
    """There is no such model."""


def ruling(file: Baseline | None, folder: Baseline | None, given: Chosen | None) -> Chosen | None:
    """Return the baseline that rules; None if it is learnt.

    Args:
        file: the configured file, `baseline.file`.
        folder: the model's file in `baseline.folder`.
        given: the one that was put or promoted.
    """
    if file is not None:
        return Chosen(file, Origin.FILE)
    if folder is not None:
        return Chosen(folder, Origin.FOLDER)
    return given


def check_no_file_rules(key: ModelKey, chosen: Chosen | None) -> None:
    """Check that the baseline of a model may be replaced on request.

    Raises:
        BaselineRefusedError: it comes from a file, or the model is the pooled one.
    """
    if key == OTHER_MODEL:
        raise BaselineRefusedError(f"{OTHER} pools models without a place; it has no baseline")
    if chosen is not None and chosen.origin.is_file:
        raise BaselineRefusedError(
            f"the baseline of {'/'.join(key)} comes from a configured file,"
            f" baseline.{chosen.origin}; change that file, or take it away"
        )
