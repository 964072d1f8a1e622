"""What can be wrong with one month of an export."""

from mlguard_exporter.spend import SourceError


class MonthError(SourceError):
    """One month cannot be read now, whatever is the matter with others."""
