"""From the configuration to what each model needs of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlguard_common.config import ConfigError
from mlguard_sidecar.baseline import Baseline, Binning, load
from mlguard_sidecar.config import Config, FeatureConfig, ModelConfig, Thresholds
from mlguard_sidecar.engine import Plan, Span, Widths
from mlguard_sidecar.exposition import Judging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlguard_common.config import Duration
    from mlguard_sidecar.wire import ModelKey


class Plans:
    """One configuration, with its baseline files read.

    Raises:
        ConfigError: a baseline file cannot be used.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        files = {part.baseline.file for part in config.models} | {config.baseline.file}
        self._baselines = {file: _read_baseline(file) for file in files if file is not None}
        self.traffic_spans = _spans(config.windows.traffic)
        self.feature_spans = _spans(config.windows.features)

    def plan_of(self, key: ModelKey) -> Plan:
        """How a model is counted."""
        config, own = self._config, self._model(key)
        drift = config.drift
        default = Binning(bins=drift.bins, method=drift.method)
        file = own.baseline.file or config.baseline.file
        events = own.baseline.events
        return Plan(
            widths=Widths(
                config.pane.seconds,
                config.retention.minutes.seconds,
                config.retention.hours.seconds,
            ),
            events=(config.baseline.events or 0) if events is None else events,
            binning=default,
            binnings={name: _binning(part, default) for name, part in own.features.items()},
            baseline=self._baselines[file] if file else None,
            feature_limit=config.limits.features,
        )

    def judging_of(self, key: ModelKey) -> Judging:
        """How a model is judged."""
        config, own = self._config, self._model(key)
        return Judging(
            smoothing=config.drift.smoothing,
            alpha=config.drift.alpha,
            min_samples=config.drift.min_samples,
            learning_events=self.plan_of(key).events,
            fleet=config.exposition == "fleet",
            drifts_by_nature=frozenset(
                name for name, feature in own.features.items() if not feature.drift
            ),
            thresholds=_thresholds(own.thresholds, config.thresholds),
        )

    def _model(self, key: ModelKey) -> ModelConfig:
        """The part of the configuration that names this model; one that names its endpoint wins."""
        named = [
            part
            for part in self._config.models
            if (part.project, part.model) == (key.project, key.model)
            and part.endpoint in (None, key.endpoint)
        ]
        named.sort(key=lambda part: part.endpoint is None)
        return named[0] if named else ModelConfig(project=key.project, model=key.model)


def _thresholds(own: Thresholds, general: Thresholds) -> dict[str, float]:
    """Those that are set; a model's value wins, and its 0 is none."""
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
        kind=part.kind,
    )


def _read_baseline(file: str) -> Baseline:
    try:
        return load(Path(file).read_bytes())
    except OSError as error:
        raise ConfigError(f"baseline file {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"baseline file {file}: {error}") from error
