"""What is kept in SQLite, and the one transaction that changes it."""

from mlguard_sidecar.store.hours import Hours
from mlguard_sidecar.store.maintain import Retention, maintain, store_bytes
from mlguard_sidecar.store.open import open_store
from mlguard_sidecar.store.read import TRAFFIC, Saved, load, read_total
from mlguard_sidecar.store.write import commit

__all__ = [
    "TRAFFIC",
    "Hours",
    "Retention",
    "Saved",
    "commit",
    "load",
    "maintain",
    "open_store",
    "read_total",
    "store_bytes",
]
