"""What is judged for spikes: an endpoint, a model, a project or an AWS service."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlguard_exporter.spend import Series


class Scope(StrEnum):
    """What a judged series adds up, the finest first."""

    ENDPOINT = "endpoint"
    MODEL = "model"
    PROJECT = "project"
    SERVICE = "service"


class Subject(NamedTuple):
    """What is judged; the series has no model or endpoint where these are added up."""

    scope: Scope
    series: Series

    def holders(self) -> list[Subject]:
        """Those of which this one's spend is a part; an endpoint is no known part of a service."""
        found = []
        if self.scope is Scope.ENDPOINT:
            found.append(Subject(Scope.MODEL, self.series._replace(endpoint="")))
        if self.scope in (Scope.ENDPOINT, Scope.MODEL):
            found.append(Subject(Scope.PROJECT, self.series._replace(model="", endpoint="")))
        return found
