"""The exporter's database: where it is, and the migrations that create its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlguard_common.paths import data_dir
from mlguard_exporter.anomaly_log import migrations as anomaly_migrations
from mlguard_exporter.polling import poll_migrations
from mlguard_exporter.renamed_tables import migrations as renaming
from mlguard_exporter.sources import source_migrations
from mlguard_exporter.spend.cost_store import migrations as spend_migrations
from mlguard_rules.service import migrations as alerting_migrations

if TYPE_CHECKING:
    from mlguard_exporter.config import Config

DATABASE = "exporter.db"
MIGRATIONS = (
    renaming,  # before those that would create the tables under their new names
    alerting_migrations,
    spend_migrations,
    poll_migrations,
    *source_migrations,
    anomaly_migrations,
)


def database_path(config: Config) -> Path:
    """Return the path of the database."""
    return Path(config.data_dir or data_dir()) / DATABASE
