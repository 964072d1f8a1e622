"""Storage in SQLite: commits, reads, windows and compaction."""

from mlguard_sidecar.store.compaction import Retention, compact
from mlguard_sidecar.store.days import SlidingSettings
from mlguard_sidecar.store.read import OUTCOMES, TRAFFIC, Snapshot, load, read_total
from mlguard_sidecar.store.size import store_bytes
from mlguard_sidecar.store.store import Store
from mlguard_sidecar.store.tables import open_store
from mlguard_sidecar.store.windows import HourlyCache
from mlguard_sidecar.store.write import IDS_DROPPED, Writer

__all__ = [
    "IDS_DROPPED",
    "OUTCOMES",
    "TRAFFIC",
    "HourlyCache",
    "Retention",
    "SlidingSettings",
    "Snapshot",
    "Store",
    "Writer",
    "compact",
    "load",
    "open_store",
    "read_total",
    "store_bytes",
]
