"""What every source of costs offers, whichever cloud it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from mlguard_exporter.spend import CostReport


class SourceError(MLGuardError):
    """Spend could not be read; one line: what was wrong, and what to do."""


class DeniedError(SourceError):
    """The credentials lack a permission, so that asking again soon is of no use."""


class CostSource(Protocol):
    """Reads the spend of one account.

    `open_source` returns the source that an account's configuration names. The poller calls its
    methods in a thread of its own, about once a day; they may block.
    """

    def read(self, first: date, end: date, known: Collection[str]) -> Iterable[CostReport]:
        """Read a range of days.

        Args:
            first: first UTC day.
            end: the day after the last; today's spend is not complete.
            known: versions of reports that are stored already and need not be read again.

        Returns:
            Reports that do not overlap. Each is stored as soon as it is yielded. They may cover
            more days, such as whole months.

        Raises:
            SourceError: it cannot be read now; reports yielded before are valid.
        """

    def active_tags(self) -> Mapping[str, bool] | None:
        """Ask whether the cloud splits spend by each of the three tags.

        Returns:
            True or False for each tag that the cloud has seen; None where tags need no activation.

        Raises:
            DeniedError: the credentials may not ask this.
            SourceError: it is not known now.
        """
