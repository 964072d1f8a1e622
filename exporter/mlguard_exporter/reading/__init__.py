"""When and how spend is read."""

from mlguard_exporter.reading.attempts import Attempts, ask_for_history, remembered, tags
from mlguard_exporter.reading.attempts import migrations as reading_migrations
from mlguard_exporter.reading.reader import Reader
from mlguard_exporter.reading.sources import settings_mark

__all__ = [
    "Attempts",
    "Reader",
    "ask_for_history",
    "reading_migrations",
    "remembered",
    "settings_mark",
    "tags",
]
