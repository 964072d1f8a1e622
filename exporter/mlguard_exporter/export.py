"""The command `mlguard-exporter export`: the whole history for a spreadsheet or a Prometheus."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, date, datetime
from io import TextIOWrapper
from itertools import chain
from typing import TYPE_CHECKING

from mlguard_common.database import open_to_read
from mlguard_common.exposition import label_pair
from mlguard_exporter.spend.calendar import is_settled, start_of
from mlguard_exporter.spend.cost_store import CostStore
from mlguard_exporter.spend.costs import Kind, currency_label
from mlguard_exporter.store import database_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from mlguard_exporter.config import Config
    from mlguard_exporter.spend.cost_store import StoredCost
    from mlguard_exporter.spend.costs import Basis


_COLUMNS = (
    "account", "day", "kind", "project", "model", "endpoint", "name", "currency",
    "unblended", "amortized", "net_unblended", "read_at", "restatements",
)  # fmt: skip
METRICS = {
    Kind.OWNER: (
        "mlguard_cost_day_usd",
        "Usage charges of the UTC day that begins at the sample, by owner.",
    ),
    Kind.SERVICE: (
        "mlguard_cost_day_by_service_usd",
        "Usage charges of the UTC day that begins at the sample, by AWS service.",
    ),
    Kind.OTHER: (
        "mlguard_cost_day_other_usd",
        "Charges of the UTC day that begins at the sample that are not usage.",
    ),
}
"""Name and HELP text of the metric of each kind."""


def run(config: Config, form: str) -> int:
    """Write all stored spend to standard output, and return the exit status.

    The daemon may run meanwhile.

    Args:
        config: with the folder of the database, and the basis for `openmetrics`.
        form: `csv` or `openmetrics`.

    Raises:
        StoreError: there is no database.
    """
    db = open_to_read(database_path(config))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        db.execute("BEGIN")  # one snapshot, whatever the daemon stores meanwhile
        if form == "csv":
            write_csv(CostStore(db), sys.stdout)
        else:
            write_openmetrics(CostStore(db), config.cost.basis, sys.stdout)
    finally:
        db.conn.close()
    return 0


def write_csv(cost_store: CostStore, out: IO[str]) -> None:
    """Write every amount on every basis, exactly as it was read, day by day.

    Columns: `name` is the AWS service or the charge; `read_at` is the time of the first read of
    this amount; `restatements` is the number of changes of its day after it was settled.
    """
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_COLUMNS)
    for account in cost_store.accounts():
        known = cost_store.known_days(account)
        for row in cost_store.rows(account, date.min, date.max):
            read_at = datetime.fromtimestamp(row.read_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            table.writerow(
                (account, row.day, *row.series, *row.costs, read_at, known[row.day].restatements)
            )


def write_openmetrics(cost_store: CostStore, basis: Basis, out: IO[str]) -> None:
    """Write every settled day on one basis, for `promtool tsdb create-blocks-from openmetrics`.

    There is one sample a day, at its begin: `last_over_time(mlguard_cost_day_usd[1d])` draws it.
    """
    for kind, (name, text) in METRICS.items():
        out.write(f"# HELP {name} {text}\n# TYPE {name} gauge\n")
        for account in cost_store.accounts():
            known = cost_store.known_days(account)
            rows = (
                r for r in cost_store.rows(account, date.min, date.max) if r.series.kind is kind
            )
            for row in sorted(rows, key=lambda row: (row.series, row.day)):
                amount = getattr(row.costs, basis.value)
                if amount is not None and is_settled(row.day, known[row.day].read_at):
                    labels = ",".join(_labels(account, row))
                    out.write(f"{name}{{{labels}}} {amount:f} {start_of(row.day):.0f}\n")
    out.write("# EOF\n")


def _labels(account: str, row: StoredCost) -> Iterator[str]:
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
