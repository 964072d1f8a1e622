"""Commands that set up AWS: check what is missing, activate tags, backfill the past."""

from mlguard_exporter.setup import activate, backfill, check
from mlguard_exporter.setup.command import command_errors, utc_now

__all__ = ["activate", "backfill", "check", "command_errors", "utc_now"]
