"""The exporter's database: its name, and what makes its tables."""

from __future__ import annotations

from mlguard_exporter.aws import request_migrations
from mlguard_exporter.figures import figures_migrations
from mlguard_exporter.reading import reading_migrations
from mlguard_exporter.spend.ledger import migrations as spend_migrations
from mlguard_rules.service import migrations as alerting_migrations

DATABASE = "exporter.db"
MIGRATIONS = (
    alerting_migrations,
    spend_migrations,
    reading_migrations,
    request_migrations,
    figures_migrations,
)
