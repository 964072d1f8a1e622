"""The sidecar's statistics of the model, read from its API."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import msgspec

from mlguard_demo.errors import DemoError
from mlguard_demo.workspace import Windows

_LATE = frozenset({"1", "1.0", "true"})


@dataclass(frozen=True)
class ColumnDrift:
    """Drift of a feature or of the predictions.

    Attributes:
        name: name of the feature, `y_pred` or `y_proba`.
        psi: population stability index; None while there is too little data.
        critical: the PSI that chance alone would rarely exceed; None while there is too little
            data.
        mean: mean over the window; None for categories, and without any value.
    """

    name: str
    psi: float | None
    critical: float | None
    mean: float | None


@dataclass(frozen=True)
class Snapshot:
    """The statistics at one moment.

    Attributes:
        inferences: predictions counted since the start.
        dropped: predictions that the SDK in the model server reported as dropped.
        rate: predictions per second over the traffic window, like the next three.
        p50: median latency in seconds.
        p95: 95th percentile of the latency in seconds.
        late: share of flights that were predicted late, 0 to 1.
        drifts: drift over the feature window, by name.
    """

    inferences: int
    dropped: int
    rate: float | None
    p50: float | None
    p95: float | None
    late: float | None
    drifts: Mapping[str, ColumnDrift]


class _Window(msgspec.Struct):
    window: str
    inferences_per_second: float
    latency_p50_seconds: float | None
    latency_p95_seconds: float | None
    prediction_ratios: dict[str, float]


class _Column(msgspec.Struct):
    window: str
    name: str
    mean: float | None
    psi: float | None
    psi_critical: float | None


class _Model(msgspec.Struct):
    inferences: int
    windows: list[_Window]
    columns: list[_Column]


class _Events(msgspec.Struct):
    dropped_by_clients: int


class _Answer(msgspec.Struct):
    models: list[_Model]
    events: _Events


_decoder = msgspec.json.Decoder(_Answer)


async def fetch_snapshot(session: aiohttp.ClientSession, url: str, windows: Windows) -> Snapshot:
    """Request the statistics from the sidecar at `url`.

    Raises:
        DemoError: the sidecar does not answer, or not as expected.
    """
    try:
        async with session.get(f"{url}/api/v1/models") as response:
            response.raise_for_status()
            answer = _decoder.decode(await response.read())
    except (aiohttp.ClientError, msgspec.MsgspecError) as error:
        raise DemoError(f"the sidecar does not answer: {error}") from error
    return _snapshot(answer, windows)


def _snapshot(answer: _Answer, windows: Windows) -> Snapshot:
    # The model server logs one model; there is none before its first prediction.
    model = next(iter(answer.models), _Model(inferences=0, windows=[], columns=[]))
    traffic = next((each for each in model.windows if each.window == windows.traffic_label), None)
    ratios = traffic.prediction_ratios if traffic else {}
    late = sum(ratio for prediction, ratio in ratios.items() if prediction in _LATE)
    return Snapshot(
        inferences=model.inferences,
        dropped=answer.events.dropped_by_clients,
        rate=traffic.inferences_per_second if traffic else None,
        p50=traffic.latency_p50_seconds if traffic else None,
        p95=traffic.latency_p95_seconds if traffic else None,
        late=late if ratios else None,
        drifts={
            column.name: ColumnDrift(column.name, column.psi, column.psi_critical, column.mean)
            for column in model.columns
            if column.window == windows.features_label
        },
    )
