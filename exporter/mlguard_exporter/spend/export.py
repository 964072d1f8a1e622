"""The whole history, for a spreadsheet or a Prometheus."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from itertools import chain
from typing import TYPE_CHECKING

from mlguard_common.exposition import label_pair
from mlguard_exporter.spend.calendar import begins, is_settled
from mlguard_exporter.spend.model import Kind, currency_label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from mlguard_exporter.spend.ledger import Ledger, Row
    from mlguard_exporter.spend.model import Basis

_COLUMNS = (
    "account", "day", "kind", "project", "model", "endpoint", "name", "currency",
    "unblended", "amortized", "net_unblended", "read_at", "restatements",
)  # fmt: skip
METRICS = {
    Kind.OWNER: ("mlguard_cost_day_usd", "Usage charges of the UTC day that begins then."),
    Kind.SERVICE: ("mlguard_cost_day_by_service_usd", "The same by AWS service."),
    Kind.OTHER: ("mlguard_cost_day_other_usd", "Charges of that day that are not usage."),
}
"""Name and meaning of what `write_openmetrics` writes of each kind."""


def write_csv(ledger: Ledger, out: IO[str]) -> None:
    """Every amount on every basis, exactly as it was read, day by day.

    Columns: `name` is the AWS service or the charge; `read_at` is when the amount was first read as
    it is; `restatements` is how often its day has changed after it was settled.
    """
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_COLUMNS)
    for account in ledger.accounts():
        known = ledger.known_days(account)
        for row in ledger.rows(account, date.min, date.max):
            read_at = datetime.fromtimestamp(row.read_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            table.writerow(
                (account, row.day, *row.series, *row.costs, read_at, known[row.day].restatements)
            )


def write_openmetrics(ledger: Ledger, basis: Basis, out: IO[str]) -> None:
    """Every settled day on one basis, for `promtool tsdb create-blocks-from openmetrics`.

    One sample a day stands at its begin: `last_over_time(mlguard_cost_day_usd[1d])` draws it.
    """
    for kind, (name, text) in METRICS.items():
        out.write(f"# HELP {name} {text}\n# TYPE {name} gauge\n")
        for account in ledger.accounts():
            known = ledger.known_days(account)
            rows = (r for r in ledger.rows(account, date.min, date.max) if r.series.kind is kind)
            for row in sorted(rows, key=lambda row: (row.series, row.day)):
                amount = getattr(row.costs, basis.value)
                if amount is not None and is_settled(row.day, known[row.day].read_at):
                    labels = ",".join(_labels(account, row))
                    out.write(f"{name}{{{labels}}} {amount:f} {begins(row.day):.0f}\n")
    out.write("# EOF\n")


def _labels(account: str, row: Row) -> Iterator[str]:
    series = row.series
    owner = (
        ("project", series.project),
        ("model", series.model),
        ("model_endpoint", series.endpoint),
    )
    named = {
        Kind.OWNER: owner,
        Kind.SERVICE: (("aws_service", series.name),),
        Kind.OTHER: (("charge", series.name),),
    }[series.kind]
    currency = currency_label(series.currency)
    for name, value in chain((("account", account),), named, (("currency", currency),)):
        if value:
            yield label_pair(name, value)
