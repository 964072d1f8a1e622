"""What the API of models answers, from which its OpenAPI document is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - msgspec reads the annotations
from typing import Any

import msgspec

from mlguard_sidecar.histogram import Kind, Role  # noqa: TC001 - likewise
from mlguard_sidecar.statistics import Change, ChangeKind  # noqa: TC001 - likewise


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in JSON; a value that is unknown is null."""


class QualityAnswer(Answer, frozen=True, omit_defaults=True):
    """Quality of predictions of which the truth is known; only what can be told."""

    outcomes: int
    window: str | None = None
    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    positive_class: str | None = None
    log_loss: float | None = None
    brier_score: float | None = None
    positive_score_mean: float | None = None
    positive_ratio: float | None = None
    absolute_error_mean: float | None = None
    squared_error_mean: float | None = None
    coverage_ratio: float | None = None


class OutcomesAnswer(Answer, frozen=True):
    """Outcomes of a model."""

    total: int
    predictions: int
    uncounted: Mapping[str, int]
    coverage_ratio: float | None
    quality: list[QualityAnswer]
    baseline: QualityAnswer | None


class TrafficAnswer(Answer, frozen=True):
    """Traffic, latency and predictions of a window."""

    window: str
    inferences: int
    inferences_per_second: float | None
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    latency_p99_seconds: float | None
    prediction_ratios: Mapping[str, float]
    score_mean: float | None
    score_stddev: float | None


class DayColumnAnswer(Answer, frozen=True):
    """A feature or prediction on a day."""

    name: str
    role: Role
    kind: Kind
    rows: int
    count: int
    missing: int
    invalid: int
    mean: float | None
    stddev: float | None
    min: float | None
    max: float | None
    out_of_range: int | None
    unseen: int | None
    psi: float | None
    psi_critical: float | None
    js_distance: float | None
    reference_psi: float | None
    reference_psi_critical: float | None


class ColumnAnswer(DayColumnAnswer, frozen=True):
    """A feature or prediction in a window."""

    window: str
    outside: list[tuple[str | float, int]]
    samples: int


class ModelAnswer(Answer, frozen=True):
    """What a model shows."""

    project: str
    model: str
    endpoint: str
    inferences: int
    last_seen: str | None
    thresholds: Mapping[str, float]
    baseline: str | None
    baseline_origin: str | None
    learning_ratio: float | None
    drifted: list[str]
    not_watched: Mapping[str, str]
    windows: list[TrafficAnswer]
    columns: list[ColumnAnswer]
    outcomes: OutcomesAnswer | None


class EventCounts(Answer, frozen=True):
    """Events of all models since the database was created."""

    committed: int
    rejected: int
    dropped_by_clients: int


class ModelsAnswer(Answer, frozen=True):
    """All models."""

    models: list[ModelAnswer]
    events: EventCounts
    store_errors: int


class PointAnswer(Answer, frozen=True):
    """A model in one step of time."""

    start: str
    inferences: int
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    latency_p99_seconds: float | None
    prediction_ratios: Mapping[str, float]
    score_mean: float | None
    score_stddev: float | None


class SeriesAnswer(Answer, frozen=True):
    """A model over time, the oldest step first, without gaps."""

    step_seconds: int
    points: list[PointAnswer]


class BinAnswer(Answer, frozen=True):
    """A bin of drift: its share of the values in the baseline, or the reference, and now."""

    bin: str
    baseline_ratio: float | None
    ratio: float


class WindowBinsAnswer(ColumnAnswer, frozen=True):
    """A feature or prediction in a window, with its bins; without a baseline there are none."""

    bins: list[BinAnswer]


class DatedColumnAnswer(DayColumnAnswer, frozen=True):
    """A feature or prediction on a day."""

    day: str


class ColumnDetailAnswer(Answer, frozen=True):
    """A feature or prediction: its windows, its last days, and what explains its drift."""

    windows: list[WindowBinsAnswer]
    days: list[DatedColumnAnswer]
    since: str | None
    sentences: Sequence[str]


class DayAnswer(Answer, frozen=True):
    """A model on a UTC day."""

    day: str
    inferences: int
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    latency_p99_seconds: float | None
    prediction_ratios: Mapping[str, float]
    score_mean: float | None
    score_stddev: float | None
    baseline: str | None
    quality: QualityAnswer | None
    columns: list[DayColumnAnswer]


class HistoryAnswer(Answer, frozen=True):
    """Days with events, the oldest first."""

    days: list[DayAnswer]


class ExplanationAnswer(ColumnAnswer, frozen=True):
    """A column that has drifted, with what explains it."""

    since: str | None
    guess: ChangeKind | None
    sentences: Sequence[str]


class ExplanationsAnswer(Answer, frozen=True):
    """All columns that have drifted, the largest index first."""

    together: list[str]
    columns: list[ExplanationAnswer]


class RejectAnswer(Answer, frozen=True):
    """A rejection, or a kind of invalid values."""

    time: str
    source: str
    reason: str
    message: str
    events: int
    values: int


class RejectsAnswer(Answer, frozen=True):
    """The last rejections, the newest first."""

    rejects: list[RejectAnswer]


class ErasedAnswer(Answer, frozen=True):
    """Name of the model that was erased."""

    erased: str


class LearningAnswer(Answer, frozen=True):
    """Number of events from which the baseline is learnt."""

    events: int


class BaselineSummary(Answer, frozen=True):
    """A baseline."""

    id: str
    source: str
    samples: int
    outcomes: int | None


class DifferenceAnswer(Answer, frozen=True):
    """Difference of a column between two baselines."""

    name: str
    role: Role
    kind: Kind
    change: Change
    psi: float | None
    psi_critical: float | None
    samples: int
    outside_ratio: float | None
    sentences: Sequence[str]


class ReplacedAnswer(Answer, frozen=True):
    """A baseline, and the one that it replaces, or would replace."""

    baseline: BaselineSummary
    replaced: BaselineSummary | None
    columns: list[DifferenceAnswer]
    refused: str | None
    error: str | msgspec.UnsetType = msgspec.UNSET


BaselineFile = dict[str, Any]
"""A file of the format mlguard-baseline/1; its schema is printed by `mlguard baseline schema`."""
