"""What the commands ask AWS; each request to Cost Explorer is counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from mlguard_exporter.aws import ACTIVE, REQUEST_USD, Aws, AwsErrors, tag_states, understanding
from mlguard_exporter.spend import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_exporter.config import AccountConfig

PROBLEMS = (*AwsErrors, SourceError, OSError, ValueError)
"""What can be wrong with a question to AWS; a mistyped endpoint is a ValueError."""
_MOST_PAGES = 5


class Identity(NamedTuple):
    """Whom AWS takes us for."""

    arn: str
    account: str


class Amount(NamedTuple):
    """What was spent."""

    amount: Decimal
    currency: str


class Backfill(NamedTuple):
    """One request to split the past, as AWS tells it."""

    first: date
    requested_at: datetime
    status: str


class Door:
    """Questions about one account.

    Each of them raises one of PROBLEMS where AWS does not answer, or not what it should.

    Attributes:
        aws: gives clients.
        sent: requests to Cost Explorer so far, those that were sent again included.
    """

    def __init__(self, account: AccountConfig) -> None:
        self.aws = Aws(account, patient=False)
        self.sent = 0
        self._made: Any = None

    @property
    def spent_usd(self) -> Decimal:
        """What these requests cost."""
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
        """Who asks; free of charge."""
        answer = self.aws.client("sts").get_caller_identity()
        with understanding():
            return Identity(str(answer["Arn"]), str(answer["Account"]))

    def spend_of(self, day: date) -> Amount:
        """What a day has cost, as far as AWS knows."""
        answer = self._ce.get_cost_and_usage(
            TimePeriod=_period(day, day + timedelta(days=1)),
            Granularity="DAILY",
            Metrics=["UnblendedCost"],
        )
        with understanding():
            (result,) = answer["ResultsByTime"]
            told = result["Total"]["UnblendedCost"]
            return Amount(Decimal(told["Amount"]), str(told["Unit"]))

    def tag_states(self, tags: Sequence[str]) -> dict[str, str]:
        """Active or Inactive; tags that AWS has not seen are left out."""
        return tag_states(self._ce, tags)

    def tags_on_spend(self, first: date, end: date, wanted: Sequence[str]) -> set[str]:
        """Which of these tags spend carries; one request, as long as there are not many tags."""
        page: dict[str, str] = {}
        found: set[str] = set()
        for _ in range(_MOST_PAGES):
            answer = self._ce.get_tags(TimePeriod=_period(first, end), **page)
            with understanding():
                found |= set(answer["Tags"]).intersection(wanted)
            if not answer.get("NextPageToken") or found.issuperset(wanted):
                break
            page = {"NextPageToken": answer["NextPageToken"]}
        return found

    def activate(self, tags: Sequence[str]) -> dict[str, str]:
        """Activate tags; why some were not."""
        entries = [{"TagKey": tag, "Status": ACTIVE} for tag in tags]
        answer = self._ce.update_cost_allocation_tags_status(CostAllocationTagsStatus=entries)
        with understanding():
            return {e["TagKey"]: str(e.get("Message", "")) for e in answer.get("Errors", ())}

    def backfills(self) -> list[Backfill]:
        """Requests to split the past, the newest first."""
        answer = self._ce.list_cost_allocation_tag_backfill_history()
        with understanding():
            found = [
                Backfill(_moment(b["BackfillFrom"]).date(), _moment(b["RequestedAt"]),
                         b["BackfillStatus"])
                for b in answer["BackfillRequests"]
            ]  # fmt: skip
        return sorted(found, key=lambda backfill: backfill.requested_at, reverse=True)

    def start_backfill(self, first: date) -> None:
        """Have the past split by the tags as they are now."""
        self._ce.start_cost_allocation_tag_backfill(BackfillFrom=f"{first}T00:00:00Z")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _period(first: date, end: date) -> dict[str, str]:
    return {"Start": first.isoformat(), "End": end.isoformat()}
