"""The requests of the setup commands; those to Cost Explorer are counted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from mlguard_exporter.sources import SourceError
from mlguard_exporter.sources.aws import AWS_ERRORS, AwsSession, parsing_answer
from mlguard_exporter.sources.aws.cost_explorer import (
    ACTIVE,
    REQUEST_USD,
    is_usage,
    tag_states,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_exporter.config import AccountConfig

PROBLEMS = (*AWS_ERRORS, SourceError, OSError, ValueError)
"""What a request to AWS may raise; a mistyped endpoint is a ValueError."""
_MAX_PAGES = 5


class Identity(NamedTuple):
    """The identity that AWS sees."""

    arn: str
    account: str


class Charges(NamedTuple):
    """What some days have cost.

    Attributes:
        totals: by currency.
        usage: whether any of it, perhaps of zero, is for usage.
    """

    totals: dict[str, Decimal]
    usage: bool


class Backfill(NamedTuple):
    """One request for a backfill, as AWS lists it."""

    first: date
    requested_at: datetime
    status: str


class SetupClient:
    """Requests about one account.

    Each method raises one of PROBLEMS where AWS does not answer as expected.

    Attributes:
        aws: makes clients.
        sent: requests to Cost Explorer so far, retries included.
    """

    def __init__(self, account: AccountConfig) -> None:
        self.aws = AwsSession(account, patient=False)
        self.sent = 0
        self._made: Any = None

    @property
    def spent_usd(self) -> Decimal:
        """What these requests cost, at most."""
        return self.sent * REQUEST_USD

    @property
    def _ce(self) -> Any:
        if self._made is None:
            self._made = self.aws.client("ce")
            self._made.meta.events.register("before-send.cost-explorer", self._count)
        return self._made

    def _count(self, **_: object) -> None:
        self.sent += 1

    def identity(self) -> Identity:
        """Return the identity of the credentials; free of charge."""
        answer = self.aws.client("sts").get_caller_identity()
        with parsing_answer():
            return Identity(str(answer["Arn"]), str(answer["Account"]))

    def charges(self, first: date, end: date) -> Charges:
        """Return what some days have cost, as far as AWS knows it; one request."""
        answer = self._ce.get_cost_and_usage(
            TimePeriod=_period(first, end),
            Granularity="DAILY",
            Metrics=["UnblendedCost"],
            GroupBy=[{"Type": "DIMENSION", "Key": "RECORD_TYPE"}],
        )
        totals: dict[str, Decimal] = {}
        usage = False
        with parsing_answer():
            for result in answer["ResultsByTime"]:
                for group in result["Groups"]:
                    cost = group["Metrics"]["UnblendedCost"]
                    currency, amount = str(cost["Unit"]), Decimal(cost["Amount"])
                    totals[currency] = totals.get(currency, Decimal(0)) + amount
                    usage = usage or is_usage(group["Keys"][0])
        return Charges(totals, usage or bool(answer.get("NextPageToken")))

    def tag_states(self, tags: Sequence[str]) -> dict[str, str]:
        """Return `Active` or `Inactive` for each tag that AWS has seen."""
        return tag_states(self._ce, tags)

    def tags_on_spend(self, first: date, end: date, wanted: Sequence[str]) -> set[str]:
        """Return which of these tags spend carries; one request unless there are many tags."""
        page: dict[str, str] = {}
        found: set[str] = set()
        for _ in range(_MAX_PAGES):
            answer = self._ce.get_tags(TimePeriod=_period(first, end), **page)
            with parsing_answer():
                found |= set(answer["Tags"]).intersection(wanted)
            if not answer.get("NextPageToken") or found.issuperset(wanted):
                break
            page = {"NextPageToken": answer["NextPageToken"]}
        return found

    def activate(self, tags: Sequence[str]) -> dict[str, str]:
        """Activate tags; return the reason for each that was not."""
        entries = [{"TagKey": tag, "Status": ACTIVE} for tag in tags]
        answer = self._ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=entries)
        with parsing_answer():
            return {e["TagKey"]: str(e.get("Message", "")) for e in answer.get("Errors", ())}

    def backfills(self) -> list[Backfill]:
        """Return the requests for a backfill, the newest first."""
        answer = self._ce.list_cost_allocation_tag_backfill_history()
        with parsing_answer():
            found = [
                Backfill(_timestamp(b["BackfillFrom"]).date(), _timestamp(b["RequestedAt"]),
                         b["BackfillStatus"])
                for b in answer["BackfillRequests"]
            ]  # fmt: skip
        return sorted(found, key=lambda backfill: backfill.requested_at, reverse=True)

    def start_backfill(self, first: date) -> None:
        """Request a backfill: AWS splits the past by the tags as they are now."""
        self._ce.start_cost_allocation_tag_backfill(BackfillFrom=f"{first}T00:00:00Z")


def _timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _period(first: date, end: date) -> dict[str, str]:
    return {"Start": first.isoformat(), "End": end.isoformat()}
