"""A model of Cost Explorer: what it would answer, of billing lines that a test sets."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

METRICS = {
    "UnblendedCost": "unblended",
    "AmortizedCost": "amortized",
    "NetUnblendedCost": "net_unblended",
}
DIMENSIONS = {"SERVICE": "service", "RECORD_TYPE": "record_type"}
TAGS = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
MOST_UPDATES = 20
BACKFILL_MONTHS = 12

Json = dict[str, Any]


class Failure(Exception):  # noqa: N818 - as a test says it: a failure
    """An error as AWS answers it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Bill:
    """One line of a bill."""

    day: date
    tags: dict[str, str]
    service: str
    record_type: str
    unblended: Decimal
    amortized: Decimal
    net_unblended: Decimal
    currency: str = "USD"


@dataclass
class CostExplorer:
    """What one account that pays knows.

    Attributes:
        bills: every line; may be changed between requests.
        active_tags: the tags that split spend.
        known_tags: the tags that AWS has seen on a resource.
        tag_errors: tags whose state cannot be changed, with the reason.
        page_size: groups of spend, or values of tags, on a page; None for all of them.
        history_months: how far back it can be asked.
        linked: whether another account pays, and so manages the tags.
        enabled: whether Cost Explorer was ever opened.
        backfills: requests to split the past, as AWS tells them, the newest first.
        clock: the time; a function without parameters.
    """

    bills: list[Bill] = field(default_factory=list)
    active_tags: set[str] = field(default_factory=lambda: set(TAGS))
    known_tags: set[str] = field(default_factory=lambda: set(TAGS))
    tag_errors: dict[str, str] = field(default_factory=dict)
    page_size: int | None = None
    history_months: int = 14
    linked: bool = False
    enabled: bool = True
    backfills: list[dict[str, str]] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def answer(self, operation: str, body: Json) -> Json:
        """The answer to a request.

        Raises:
            Failure: AWS would refuse it.
        """
        operations = {
            "GetCostAndUsage": self._cost_and_usage,
            "GetTags": self._tags,
            "ListCostAllocationTags": self._list_tags,
            "UpdateCostAllocationTagsStatus": self._update_tags,
            "StartCostAllocationTagBackfill": self._start_backfill,
            "ListCostAllocationTagBackfillHistory": self._list_backfills,
        }
        if operation not in operations:
            raise Failure("UnknownOperationException", "")
        if not self.enabled:
            raise Failure("AccessDeniedException", "User not enabled for cost explorer access")
        return operations[operation](body)

    @property
    def today(self) -> date:
        return self.clock().date()

    # GetCostAndUsage

    def _cost_and_usage(self, body: Json) -> Json:
        first, end = self._period(body)
        groups, metrics = body.get("GroupBy", []), body.get("Metrics", [])
        if body.get("Granularity") != "DAILY":
            raise _invalid(f"granularity {body.get('Granularity')} is not modelled")
        if len(groups) > 2:
            raise _invalid("Number of group definitions must be less than or equal to 2")
        unknown = [metric for metric in metrics if metric not in METRICS]
        if unknown or not metrics:
            raise _invalid(f"Invalid metric: {unknown}; expected some of {list(METRICS)}")
        for group in groups:
            if group["Type"] not in ("TAG", "DIMENSION") or (
                group["Type"] == "DIMENSION" and group["Key"] not in DIMENSIONS
            ):
                raise _invalid(f"Group Definition {group} is invalid")
        wanted = self._filter(body["Filter"]) if "Filter" in body else lambda _: True
        lines = [bill for bill in self.bills if first <= bill.day < end and wanted(bill)]
        entries: list[tuple[date, tuple[str, ...] | None, list[Bill]]] = []
        for n in range((end - first).days):
            day = first + timedelta(days=n)
            of_day = [bill for bill in lines if bill.day == day]
            by_key: dict[tuple[str, ...], list[Bill]] = {}
            for bill in of_day if groups else ():
                by_key.setdefault(tuple(self._key(bill, by) for by in groups), []).append(bill)
            entries += [(day, key, by_key[key]) for key in sorted(by_key)] or [(day, None, of_day)]
        page, token = self._page(entries, body, "NextPageToken", self.page_size)
        results = []
        for day, of_day in groupby(page, key=lambda entry: entry[0]):
            found = list(of_day)
            results.append(
                {
                    "TimePeriod": {"Start": str(day), "End": str(day + timedelta(days=1))},
                    "Total": {} if groups else _metrics(found[0][2], metrics),
                    "Groups": [
                        {"Keys": list(key), "Metrics": _metrics(bills, metrics)}
                        for _, key, bills in found
                        if key is not None
                    ],
                    "Estimated": day >= self.today.replace(day=1),
                }
            )
        answer = {"ResultsByTime": results, "DimensionValueAttributes": []}
        return answer | ({"GroupDefinitions": groups} if groups else {}) | token

    def _period(self, body: Json) -> tuple[date, date]:
        period = body.get("TimePeriod", {})
        try:
            first, end = (date.fromisoformat(period[name]) for name in ("Start", "End"))
        except (KeyError, ValueError) as error:
            raise _invalid(f"TimePeriod {period} is invalid") from error
        if first >= end:
            raise _invalid("Start date (and hour) should be before end date (and hour)")
        if first < month_start(self.today, self.history_months):
            raise _invalid("You haven't enabled historical data beyond 14 months")
        if end > month_start(self.today, -1):
            raise _invalid("end date past the beginning of next month")
        return first, end

    def _tag(self, bill: Bill, key: str) -> str:
        return bill.tags.get(key, "") if key in self.active_tags else ""

    def _key(self, bill: Bill, by: Json) -> str:
        if by["Type"] == "TAG":
            return f"{by['Key']}${self._tag(bill, by['Key'])}"
        return str(getattr(bill, DIMENSIONS[by["Key"]]))

    def _filter(self, tree: Json) -> Callable[[Bill], bool]:
        if len(tree) != 1:
            raise _invalid("Expression must have exactly one root operator")
        ((name, inner),) = tree.items()
        if name in ("And", "Or"):
            if len(inner) < 2:
                raise _invalid(f"{name} needs at least two expressions")
            parts = [self._filter(part) for part in inner]
            return lambda bill: (all if name == "And" else any)(part(bill) for part in parts)
        if name == "Not":
            negated = self._filter(inner)
            return lambda bill: not negated(bill)
        key, values = inner.get("Key"), inner.get("Values", [])
        options = set(inner.get("MatchOptions", ["EQUALS"]))
        if name == "Tags" and options == {"ABSENT"} and not values:
            return lambda bill: not self._tag(bill, key)
        if name not in ("Tags", "Dimensions") or options - {"EQUALS", "CASE_SENSITIVE"}:
            raise _invalid(f"filter {name} with {sorted(options)} is invalid")
        if not values or (name == "Dimensions" and key not in DIMENSIONS):
            raise _invalid(f"filter {name} of {key} is invalid")
        if name == "Tags":
            return lambda bill: self._tag(bill, key) in values
        return lambda bill: getattr(bill, DIMENSIONS[key]) in values

    def _page(
        self, entries: list[Any], body: Json, name: str, size: int | None
    ) -> tuple[list[Any], Json]:
        """The entries that a request asks for, and where it can go on."""
        rest = {k: v for k, v in body.items() if k != name}
        mark = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
        start = 0
        if name in body:
            try:
                start, asked = json.loads(base64.b64decode(body[name], validate=True))
            except ValueError as error:
                raise Failure(
                    "InvalidNextTokenException", "The pagination token is invalid"
                ) from error
            if asked != mark:
                raise Failure(
                    "RequestChangedException",
                    "Your request parameters changed between pages. Try again with the old"
                    " parameters or without a pagination token.",
                )
        end = len(entries) if size is None else start + size
        token = base64.b64encode(json.dumps([end, mark]).encode()).decode()
        return entries[start:end], {name: token} if end < len(entries) else {}

    # tags

    def _tags(self, body: Json) -> Json:
        first, end = self._period(body)
        lines = [bill for bill in self.bills if first <= bill.day < end]
        if "TagKey" in body:
            found = {self._tag(bill, body["TagKey"]) for bill in lines}
        else:
            found = {key for bill in lines for key in bill.tags} & self.active_tags
        every = sorted(text for text in found if body.get("SearchString", "") in text)
        page, token = self._page(every, body, "NextPageToken", self.page_size)
        return {"Tags": page, "ReturnSize": len(page), "TotalSize": len(every)} | token

    def _payer_only(self, doing: str) -> None:
        if self.linked:
            raise Failure(
                "AccessDeniedException",
                f"Failed to {doing}: Linked account doesn't have access to cost allocation tags.",
            )

    def _list_tags(self, body: Json) -> Json:
        self._payer_only("list Cost Allocation Tags")
        keys = body.get("TagKeys")
        found = []
        for key in sorted(self.known_tags):
            status = "Active" if key in self.active_tags else "Inactive"
            if (keys is None or key in keys) and body.get("Status", status) == status:
                found.append({"TagKey": key, "Type": "UserDefined", "Status": status})
        if body.get("Type", "UserDefined") != "UserDefined":
            found = []
        page, token = self._page(found, body, "NextToken", body.get("MaxResults", 100))
        return {"CostAllocationTags": page} | token

    def _update_tags(self, body: Json) -> Json:
        self._payer_only("update Cost Allocation Tag")
        wanted = body["CostAllocationTagsStatus"]
        if not 1 <= len(wanted) <= MOST_UPDATES:
            raise _invalid(f"expected 1 to {MOST_UPDATES} tags, found {len(wanted)}")
        unknown = sorted({entry["TagKey"] for entry in wanted} - self.known_tags)
        if unknown:
            names = ",".join(unknown)
            raise _invalid(f"Failed to update Cost Allocation Tag: Tag keys not found: {names}")
        errors = []
        for entry in wanted:
            key = entry["TagKey"]
            if key in self.tag_errors:
                message = self.tag_errors[key]
                errors.append({"TagKey": key, "Code": "InternalError", "Message": message})
            elif entry["Status"] == "Active":
                self.active_tags.add(key)
            else:
                self.active_tags.discard(key)
        return {"Errors": errors}

    def _start_backfill(self, body: Json) -> Json:
        self._payer_only("start Cost Allocation Tag backfill")
        moment, now = datetime.fromisoformat(body["BackfillFrom"]), self.clock()
        first = moment.astimezone(UTC).date()
        if first.day != 1 or not month_start(now.date(), BACKFILL_MONTHS) <= first <= now.date():
            raise _invalid(f"BackfillFrom {body['BackfillFrom']} is invalid")
        for earlier in self.backfills:
            age = now - datetime.fromisoformat(earlier["RequestedAt"])
            if earlier["BackfillStatus"] == "PROCESSING" or age < timedelta(days=1):
                raise Failure(
                    "BackfillLimitExceededException",
                    "A request to backfill is already in progress, or was made in the last day.",
                )
        made = {
            "BackfillFrom": body["BackfillFrom"],
            "RequestedAt": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "BackfillStatus": "PROCESSING",
        }
        self.backfills.insert(0, made)
        return {"BackfillRequest": dict(made)}

    def _list_backfills(self, body: Json) -> Json:
        self._payer_only("list Cost Allocation Tag backfills")
        page, token = self._page(self.backfills, body, "NextToken", body.get("MaxResults", 100))
        return {"BackfillRequests": page} | token


def month_start(day: date, back: int = 0) -> date:
    """The first day of a day's month, or of one so many months before."""
    months = day.year * 12 + day.month - 1 - back
    return date(months // 12, months % 12 + 1, 1)


def _metrics(bills: Iterable[Bill], metrics: list[str]) -> Json:
    lines = list(bills)
    units = {bill.currency for bill in lines} or {"USD"}
    if len(units) > 1:
        raise ValueError(f"a group of Cost Explorer has one unit, and not {sorted(units)}")
    (unit,) = units
    sums = {m: sum((getattr(b, METRICS[m]) for b in lines), Decimal(0)) for m in metrics}
    return {metric: {"Amount": f"{amount:f}", "Unit": unit} for metric, amount in sums.items()}


def _invalid(message: str) -> Failure:
    return Failure("ValidationException", message)
