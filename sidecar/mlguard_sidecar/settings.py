"""Settings of each model, derived from the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlguard_common.config import ConfigError
from mlguard_rules.service import Settings as AlertingSettings
from mlguard_sidecar.baseline import Binning
from mlguard_sidecar.baseline_files import BaselineFiles, look
from mlguard_sidecar.config import Config, FeatureConfig, ModelConfig, Thresholds
from mlguard_sidecar.drift import DriftSettings, SlidingReference
from mlguard_sidecar.histogram import Kind
from mlguard_sidecar.models import (
    AccumulationSettings,
    LearningSettings,
    OutcomeSettings,
    Prediction,
    Span,
    Widths,
)
from mlguard_sidecar.store import Retention

_RULE_FILES = ("model", "sidecar")
"""Bundled rule files that a sidecar can evaluate."""

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_common.config import Duration
    from mlguard_sidecar.wire import ModelKey


@dataclass(frozen=True)
class ModelSettings:
    """Settings of one model.

    Attributes:
        accumulation: settings of the counting of events.
        drift: settings of the measurement of drift.
        thresholds: key of the configuration -> limit; without those that are disabled.
    """

    accumulation: AccumulationSettings
    drift: DriftSettings
    thresholds: Mapping[str, float]


class Settings:
    """Settings of one configuration; its baseline files are read.

    Args:
        config: the configuration.
        before: files that were read before; one that is broken now keeps what it held.
        files: files that are to be used as they are; read by default.

    Raises:
        ConfigError: a configured baseline file cannot be used.

    Attributes:
        files: the baseline files.
        traffic_spans: windows of traffic, latency and predictions.
        feature_spans: windows of features and drift.
        outcome_spans: windows of outcomes.
        outcome_days: how long predictions are kept for their outcomes.
        fleet: whether only metrics that can be summed over replicas are exported.
        model_limit: maximum number of models counted by name.
    """

    def __init__(
        self,
        config: Config,
        before: BaselineFiles | None = None,
        files: BaselineFiles | None = None,
    ) -> None:
        self._config = config
        self.files = files or self.look(before)
        for state in () if files else self.files.configured.values():
            if state.error is not None:
                raise ConfigError(f"baseline file {state.error}")
        self._models: dict[ModelKey, ModelSettings] = {}
        self.traffic_spans = _spans(config.windows.traffic)
        self.feature_spans = _spans(config.windows.features)
        self.outcome_spans = _spans(config.windows.outcomes)
        self.outcome_days = Span("", config.outcomes.max_age.seconds)
        self.fleet = config.exposition == "fleet"
        self.model_limit = config.limits.models

    def look(self, before: BaselineFiles | None) -> BaselineFiles:
        """Return the files of the configuration as they are; what has not changed is kept."""
        named = {part.baseline.file for part in self._config.models}
        paths = {path for path in named | {self._config.baseline.file} if path is not None}
        return look(paths, self._config.baseline.folder, before)

    def with_files(self, files: BaselineFiles) -> Settings:
        """Return the settings of the same configuration with other files."""
        return Settings(self._config, files=files)

    def of(self, key: ModelKey) -> ModelSettings:
        """Return the settings of a model; the same object in each call."""
        found = self._models.get(key)
        if found is None:
            own = self._model(key)
            found = self._models[key] = ModelSettings(
                self._accumulation(key, own),
                self._drift(own),
                _thresholds(own.thresholds, self._config.thresholds),
            )
        return found

    def _accumulation(self, key: ModelKey, own: ModelConfig) -> AccumulationSettings:
        config = self._config
        default = Binning(bins=config.drift.bins, method=config.drift.method)
        file = own.baseline.file or config.baseline.file
        events = own.baseline.events
        return AccumulationSettings(
            widths=Widths(
                config.pane.seconds,
                config.retention.minutes.seconds,
                config.retention.hours.seconds,
            ),
            events=(config.baseline.events or 0) if events is None else events,
            learning=LearningSettings(
                default,
                {name: _binning(part, default) for name, part in own.features.items()},
                None if own.prediction == "auto" else Prediction(own.prediction),
            ),
            file=self.files.of_path(file),
            folder=self.files.of_model(key),
            feature_limit=config.limits.features,
            outcomes=OutcomeSettings.of(own.positive_class, config.outcomes.max_ids),
        )

    def _drift(self, own: ModelConfig) -> DriftSettings:
        drift = self._config.drift
        reference = own.reference or drift.reference
        return DriftSettings(
            smoothing=drift.smoothing,
            alpha=drift.alpha,
            min_samples=drift.min_samples,
            not_judged=frozenset(n for n, feature in own.features.items() if not feature.drift),
            sliding=SlidingReference("last_7_days" if reference == "baseline" else reference),
            is_sliding_judged=reference != "baseline",
        )

    def _model(self, key: ModelKey) -> ModelConfig:
        """Return the section of a model; one that names its endpoint takes precedence."""
        named = [
            part
            for part in self._config.models
            if (part.project, part.model) == (key.project, key.model)
            and part.endpoint in (None, key.endpoint)
        ]
        named.sort(key=lambda part: part.endpoint is None)
        return named[0] if named else ModelConfig(project=key.project, model=key.model)


class CurrentSettings:
    """Settings in use, which a reload replaces.

    Raises:
        ConfigError: a baseline file cannot be used.

    Attributes:
        now: the settings.
    """

    def __init__(self, config: Config) -> None:
        self.now = Settings(config)

    def accumulation_of(self, key: ModelKey) -> AccumulationSettings:
        """Return the current accumulation settings of a model."""
        return self.now.of(key).accumulation

    def model_limit(self) -> int:
        """Return the current maximum number of models counted by name."""
        return self.now.model_limit


def _thresholds(own: Thresholds, general: Thresholds) -> dict[str, float]:
    """Return the enabled thresholds; a model's value takes precedence, and 0 disables one."""
    found = {}
    for name in Thresholds.__struct_fields__:
        value = getattr(own, name)
        value = getattr(general, name) if value is None else value
        if value:
            found[name] = value
    return found


def _spans(durations: Sequence[Duration]) -> list[Span]:
    return [Span(str(d), d.seconds) for d in durations]


def _binning(part: FeatureConfig, default: Binning) -> Binning:
    return Binning(
        bins=part.bins or default.bins,
        method=part.method or default.method,
        edges=tuple(part.edges or ()),
        kind=Kind(part.kind) if part.kind else None,
    )


def retention_of(config: Config) -> Retention:
    """Return the ages of compaction that are configured."""
    keep = config.retention
    return Retention(
        keep.minutes.seconds,
        keep.hours.seconds,
        keep.days.seconds,
        keep.max_bytes.bytes,
        config.outcomes.max_age.seconds,
    )


def alerting_settings_of(config: Config) -> AlertingSettings:
    """Return the settings of rules and notifications that are configured."""
    return AlertingSettings.configured(config.rules, config.notify, _RULE_FILES)
