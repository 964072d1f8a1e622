"""AWS: sessions and error texts for both of its sources, Cost Explorer and billing exports."""

from mlguard_exporter.sources.aws.errors import (
    AWS_ERRORS,
    describe_error,
    outcome_of,
    parsing_answer,
)
from mlguard_exporter.sources.aws.session import AwsSession

__all__ = ["AWS_ERRORS", "AwsSession", "describe_error", "outcome_of", "parsing_answer"]
