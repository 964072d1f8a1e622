"""Commands that help to set up AWS: what is missing, tags to be activated, the past to be split."""

from mlguard_exporter.setup import activate, backfill, check
from mlguard_exporter.setup.people import for_people, utc_now

__all__ = ["activate", "backfill", "check", "for_people", "utc_now"]
