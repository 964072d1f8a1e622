"""The command `mlguard-exporter export`."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from mlguard_common.database import open_to_read
from mlguard_exporter.spend.export import write_csv, write_openmetrics
from mlguard_exporter.spend.ledger import Ledger
from mlguard_exporter.store import database_path

if TYPE_CHECKING:
    from mlguard_exporter.config import Config


def run(config: Config, form: str) -> int:
    """Write all spend that was ever read to standard output; the daemon may run meanwhile.

    Args:
        config: with the folder of the database, and the basis for `openmetrics`.
        form: `csv` or `openmetrics`.

    Raises:
        StoreError: there is none.
    """
    db = open_to_read(database_path(config))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        db.execute("BEGIN")  # all of it as it is now, whatever the daemon stores meanwhile
        if form == "csv":
            write_csv(Ledger(db), sys.stdout)
        else:
            write_openmetrics(Ledger(db), config.cost.basis, sys.stdout)
    finally:
        db.conn.close()
    return 0
