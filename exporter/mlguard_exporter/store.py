"""The exporter's database: where it is, and what makes its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlguard import paths
from mlguard_exporter.aws import request_migrations
from mlguard_exporter.figures import figures_migrations
from mlguard_exporter.reading import reading_migrations
from mlguard_exporter.spend.ledger import migrations as spend_migrations
from mlguard_rules.service import migrations as alerting_migrations

if TYPE_CHECKING:
    from mlguard_exporter.config import Config

DATABASE = "exporter.db"
MIGRATIONS = (
    alerting_migrations,
    spend_migrations,
    reading_migrations,
    request_migrations,
    figures_migrations,
)


def database_path(config: Config) -> Path:
    """The file of the database."""
    return Path(config.data_dir or paths.data_dir()) / DATABASE
