"""What the sidecar's /metrics says of the demo's model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from mlguard_sidecar.demo.errors import DemoError
from mlguard_sidecar.demo.place import Windows

_WANTED = (
    "mlguard_inferences_",
    "mlguard_latency_p50_seconds",
    "mlguard_latency_p95_seconds",
    "mlguard_prediction_ratio",
    "mlguard_drift_psi",
    "mlguard_feature_mean",
    "mlguard_sidecar_client_dropped_events_total",
)
_LATE = frozenset({"1", "1.0", "true"})


@dataclass(frozen=True)
class Drift:
    """How far a feature, or the predictions, lie from the baseline.

    Attributes:
        psi: The population stability index, None while there is too little data.
        critical: What chance alone would reach, None while there is too little data.
        mean: The window's mean, None for categories and when nothing was measured.
    """

    name: str
    psi: float | None
    critical: float | None
    mean: float | None


@dataclass(frozen=True)
class Figures:
    """One reading of the sidecar.

    Attributes:
        inferences: Predictions counted since the start.
        dropped: Predictions that the model server's SDK says it gave up.
        rate: Predictions per second over the traffic window.
        p50: Median latency of it in seconds.
        p95: 95th percentile of it in seconds.
        late: Share of flights predicted late in it, 0 to 1.
        drifts: Each feature and each kind of prediction by name.
    """

    inferences: int
    dropped: int
    rate: float | None
    p50: float | None
    p95: float | None
    late: float | None
    drifts: Mapping[str, Drift]


_Samples = dict[tuple[str, str], list[tuple[Mapping[str, str], float]]]


def read(text: str, windows: Windows) -> Figures:
    """Return the figures in an exposition in Prometheus' text format."""
    samples = _samples(text.splitlines())
    traffic, features = f"{windows.traffic}s", f"{windows.features}s"
    psi = _by_label(samples, "mlguard_drift_psi", features)
    critical = _by_label(samples, "mlguard_drift_psi_critical", features)
    mean = _by_label(samples, "mlguard_feature_mean", features)
    ratios = samples.get(("mlguard_prediction_ratio", traffic), [])
    late = sum(value for labels, value in ratios if labels.get("prediction") in _LATE)
    return Figures(
        inferences=_sum(samples, "mlguard_inferences_total"),
        dropped=_sum(samples, "mlguard_sidecar_client_dropped_events_total"),
        rate=_only(samples, "mlguard_inferences_per_second", traffic),
        p50=_only(samples, "mlguard_latency_p50_seconds", traffic),
        p95=_only(samples, "mlguard_latency_p95_seconds", traffic),
        late=late if ratios else None,
        drifts={
            name: Drift(name, psi.get(name), critical.get(name), mean.get(name))
            for name in psi.keys() | mean.keys()
        },
    )


async def fetch(session: aiohttp.ClientSession, url: str, windows: Windows) -> Figures:
    """Ask the sidecar's /metrics.

    Raises:
        DemoError: It does not answer.
    """
    try:
        async with session.get(f"{url}/metrics") as response:
            response.raise_for_status()
            return read(await response.text(), windows)
    except aiohttp.ClientError as error:
        raise DemoError(f"the sidecar does not answer: {error}") from error


def _samples(lines: Iterable[str]) -> _Samples:
    # A model has hundreds of series for its bins; parsing only what is shown spares a core.
    wanted = "\n".join(line for line in lines if line.startswith(_WANTED))
    found: _Samples = {}
    for family in text_string_to_metric_families(wanted + "\n"):
        for sample in family.samples:
            key = (sample.name, sample.labels.get("window", ""))
            found.setdefault(key, []).append((sample.labels, sample.value))
    return found


def _by_label(samples: _Samples, name: str, window: str) -> dict[str, float]:
    return {labels.get("feature", ""): value for labels, value in samples.get((name, window), [])}


def _only(samples: _Samples, name: str, window: str) -> float | None:
    return next((value for _, value in samples.get((name, window), [])), None)


def _sum(samples: _Samples, name: str) -> int:
    return int(sum(value for _, value in samples.get((name, ""), [])))
