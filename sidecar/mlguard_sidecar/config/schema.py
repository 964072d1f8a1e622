"""Configuration of the sidecar: keys, defaults and limits.

The manual, sidecar/README.md, describes each key.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mlguard_common.config import Bytes, ConfigStruct, Duration, Mode
from mlguard_common.log import LogConfig
from mlguard_common.web import HttpConfig, split_listen
from mlguard_rules.notify import NotifyConfig, RulesConfig
from mlguard_sidecar.baseline import Method

HTTP_SOCKET = "http.sock"
"""Name of the socket for HTTP, in the folder of the event socket."""

Limit = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Ratio = Annotated[float, Meta(gt=0, lt=1)]
Identifier = Annotated[str, Meta(min_length=1, max_length=128)]


class SocketConfig(ConfigStruct, frozen=True):
    """Event socket."""

    path: str | None = None
    mode: Mode = Mode("0660")


class WindowsConfig(ConfigStruct, frozen=True):
    """Rolling windows."""

    traffic: Annotated[list[Duration], Meta(min_length=1, max_length=8)] = msgspec.field(
        default_factory=lambda: [Duration("5m"), Duration("1h"), Duration("24h")]
    )
    features: Annotated[list[Duration], Meta(min_length=1, max_length=8)] = msgspec.field(
        default_factory=lambda: [Duration("1h"), Duration("24h")]
    )
    outcomes: Annotated[list[Duration], Meta(min_length=1, max_length=8)] = msgspec.field(
        default_factory=lambda: [Duration("24h"), Duration("7d")]
    )


class OutcomesConfig(ConfigStruct, frozen=True):
    """Predictions that are kept for their outcomes: how many of a model, and how long."""

    max_ids: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    max_age: Duration = Duration("30d")


class RetentionConfig(ConfigStruct, frozen=True):
    """Ages at which panes are folded and deleted, and the size limit of the database."""

    minutes: Duration = Duration("26h")
    hours: Duration = Duration("35d")
    days: Duration = Duration("400d")
    max_bytes: Bytes = Bytes("256MiB")


class Limits(ConfigStruct, frozen=True):
    """Limits on models, features and connections."""

    models: Annotated[int, Meta(ge=1, le=1000)] = 32
    features: Annotated[int, Meta(ge=1, le=512)] = 512
    connections: Annotated[int, Meta(ge=1, le=100_000)] = 1000


class ModelBaselineConfig(ConfigStruct, frozen=True):
    """Source of one model's baseline."""

    events: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    file: str | None = None


class BaselineConfig(ModelBaselineConfig, frozen=True):
    """Source of the baselines of all models."""

    folder: str | None = None


Reference = Literal["baseline", "same_weekday", "last_7_days"]
"""With what alerts about drift compare."""


class DriftConfig(ConfigStruct, frozen=True):
    """Settings of the measurement of drift."""

    bins: Annotated[int, Meta(ge=2, le=60)] = 10
    method: Method = Method.QUANTILE
    smoothing: Annotated[float, Meta(ge=0, le=1000)] = 0.5
    alpha: Ratio = 0.01
    min_samples: Annotated[int, Meta(ge=1)] = 100
    reference: Reference = "baseline"


class FeatureConfig(ConfigStruct, frozen=True):
    """Kind and bins of one feature."""

    kind: Literal["numeric", "categorical"] | None = None
    bins: Annotated[int, Meta(ge=2, le=60)] | None = None
    method: Method | None = None
    edges: Annotated[list[float], Meta(min_length=1, max_length=60)] | None = None
    drift: bool = True

    def __post_init__(self) -> None:
        edges = self.edges or []
        if edges != sorted(set(edges)) or not all(map(math.isfinite, edges)):
            raise ValueError("expected finite edges in ascending order, each once")
        if self.edges and (self.bins or self.method):
            raise ValueError("expected either edges, or bins and method")
        if self.kind == "categorical" and (self.edges or self.bins or self.method):
            raise ValueError("expected no edges, bins or method for a categorical feature")


class Thresholds(ConfigStruct, frozen=True):
    """Limits that rules compare metrics with; each is exported as a metric, 0 disables it."""

    drift_psi: Limit | None = None
    latency_p95_seconds: Limit | None = None
    latency_jump_ratio: Limit | None = None
    traffic_drop_ratio: Share | None = None
    missing_ratio: Share | None = None
    invalid_ratio: Share | None = None
    out_of_range_ratio: Share | None = None
    unseen_ratio: Share | None = None
    accuracy_drop: Share | None = None
    error_rise_ratio: Limit | None = None


class DefaultThresholds(Thresholds, frozen=True):
    """Limits of models without limits of their own."""

    drift_psi: Limit | None = 0.2
    latency_jump_ratio: Limit | None = 2
    missing_ratio: Share | None = 0.1
    invalid_ratio: Share | None = 0.01
    out_of_range_ratio: Share | None = 0.05
    unseen_ratio: Share | None = 0.05
    accuracy_drop: Share | None = 0.05
    error_rise_ratio: Limit | None = 0.2


class CloudEventsConfig(ConfigStruct, frozen=True):
    """Names of the models of CloudEvents, and how long requests wait for their responses."""

    project: str = "{namespace}"
    model: str = "{inferenceservicename}"
    endpoint: str = "{endpoint}"
    join_timeout: Duration = Duration("60s")
    max_waiting: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000

    def __post_init__(self) -> None:
        for name in ("project", "model", "endpoint"):
            template = getattr(self, name)
            if not template or set(re.sub(r"\{[a-z0-9]+\}", "", template)) & set("{}"):
                raise ValueError(
                    f"{name}: found {template!r}, expected text with {{attribute}}s in lower case"
                )


class ModelCloudEventsConfig(ConfigStruct, frozen=True):
    """Names in the payloads of one model."""

    feature_names: Annotated[list[str], Meta(min_length=1, max_length=512)] | None = None
    y_pred: str | None = None
    y_proba: str | None = None


class ModelConfig(ConfigStruct, frozen=True):
    """Settings of one model, which override the general ones."""

    project: Identifier
    model: Identifier
    endpoint: Identifier | None = None
    prediction: Literal["auto", "class", "value"] = "auto"
    positive_class: str | int | float | bool | None = None
    reference: Reference | None = None
    baseline: ModelBaselineConfig = ModelBaselineConfig()
    cloudevents: ModelCloudEventsConfig = ModelCloudEventsConfig()
    features: dict[str, FeatureConfig] = msgspec.field(default_factory=dict)
    thresholds: Thresholds = Thresholds()


class Config(ConfigStruct, frozen=True):
    """Configuration file of the sidecar."""

    listen: str = "127.0.0.1:9520"
    socket: SocketConfig = SocketConfig()
    data_dir: str | None = None
    pane: Duration = Duration("60s")
    windows: WindowsConfig = WindowsConfig()
    retention: RetentionConfig = RetentionConfig()
    limits: Limits = Limits()
    outcomes: OutcomesConfig = OutcomesConfig()
    baseline: BaselineConfig = BaselineConfig(events=1000)
    drift: DriftConfig = DriftConfig()
    thresholds: DefaultThresholds = DefaultThresholds()
    exposition: Literal["full", "fleet"] = "full"
    cloudevents: CloudEventsConfig = CloudEventsConfig()
    models: list[ModelConfig] = msgspec.field(default_factory=list)
    rules: RulesConfig = RulesConfig()
    notify: NotifyConfig = NotifyConfig()
    http: HttpConfig = HttpConfig()
    log: LogConfig = LogConfig()

    def __post_init__(self) -> None:
        if 3600 % self.pane.seconds:
            raise ValueError(f"pane: found {self.pane}, expected what divides an hour")
        for span in (*self.windows.traffic, *self.windows.features, *self.windows.outcomes):
            if span.seconds % self.pane.seconds:
                raise ValueError(
                    f"windows: found {span}, expected multiples of {self.pane}, the pane"
                )
            if span.seconds > self.retention.days.seconds:
                raise ValueError(f"windows: found {span}, expected at most {self.retention.days}")
        keep = self.retention
        if not keep.minutes.seconds <= keep.hours.seconds <= keep.days.seconds:
            raise ValueError("retention: expected minutes <= hours <= days")
        named = [(part.project, part.model, part.endpoint) for part in self.models]
        for name in named:
            if named.count(name) > 1:
                raise ValueError(f"models: found {name[0]}/{name[1]} twice, expected it once")
        if self.socket.path and Path(self.socket.path).name == HTTP_SOCKET:
            raise ValueError(f"socket.path: found {HTTP_SOCKET}, expected another name")
        split_listen(self.listen)
