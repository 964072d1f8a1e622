"""HTTP API of baselines: read, put, promoted and learnt again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from mlguard_common.web import Operation
from mlguard_sidecar.api.answers import (
    BaselineFile,
    BaselineSummary,
    DifferenceAnswer,
    LearningAnswer,
    ReplacedAnswer,
)
from mlguard_sidecar.api.responses import json_response, model_key, no_model
from mlguard_sidecar.baseline import dump
from mlguard_sidecar.baseline_service import UnsuitableError
from mlguard_sidecar.models import BaselineRefusedError, UnknownModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler

    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.baseline_service import BaselineService, Replacement
    from mlguard_sidecar.models import ModelView
    from mlguard_sidecar.statistics import ColumnDifference
    from mlguard_sidecar.wire import ModelKey


class Promotion(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a request to promote."""

    window: str | None = None
    day: str | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if (self.window is None) == (self.day is None):
            raise ValueError('expected either "window" or "day"')


@dataclass(frozen=True)
class BaselineApi:
    """Handlers of the paths `baseline` below a model.

    Attributes:
        service: replaces baselines.
        views: returns the committed state of each model.
    """

    service: BaselineService
    views: Callable[[], Mapping[ModelKey, ModelView]]

    def operations(self) -> list[Operation]:
        """Return the operations."""
        path = "/api/v1/models/{project}/{model}/{endpoint}/baseline"
        return [
            Operation(
                "GET",
                path,
                self._get,
                "Return the baseline in use, as a file.",
                answer=BaselineFile,
                errors=(404,),
            ),
            Operation(
                "PUT",
                path,
                _answering(self._put),
                "Use a baseline file from the next event on.",
                answer=ReplacedAnswer,
                body=BaselineFile,
                errors=(409, 422),
                others={503: ReplacedAnswer},
            ),
            Operation(
                "POST",
                f"{path}/relearn",
                _answering(self._relearn),
                "Learn the baseline again.",
                answer=LearningAnswer,
                errors=(404, 409),
            ),
            Operation(
                "POST",
                f"{path}/promote",
                _answering(self._promote),
                "Make a window or a day the baseline.",
                answer=ReplacedAnswer,
                body=Promotion,
                errors=(404, 409, 422),
                others={503: ReplacedAnswer},
            ),
        ]

    async def _get(self, request: web.Request) -> web.Response:
        key = model_key(request)
        view = self.views().get(key)
        if view is None:
            return no_model(key)
        if view.schema.baseline is None:
            return json_response({"error": f"{'/'.join(key)} has no baseline yet"}, 404)
        return web.Response(body=dump(view.schema.baseline), content_type="application/json")

    async def _put(self, request: web.Request) -> web.Response:
        return _replaced(await self.service.put(model_key(request), await request.read()))

    async def _relearn(self, request: web.Request) -> web.Response:
        return json_response(LearningAnswer(events=self.service.relearn(model_key(request))))

    async def _promote(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=Promotion)
        done = await self.service.promote(
            model_key(request), window=asked.window, day=asked.day, dry_run=asked.dry_run
        )
        return _replaced(done)


def _answering(handler: Callable[[web.Request], Any]) -> Handler:
    """Return a handler that answers a refusal with its status and one line."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except UnknownModelError as error:
            return json_response({"error": str(error)}, 404)
        except UnsuitableError as error:
            return json_response({"error": str(error)}, 422)
        except BaselineRefusedError as error:
            return json_response({"error": str(error)}, 409)
        except (ValueError, msgspec.MsgspecError) as error:
            return json_response({"error": str(error)}, 422)
        return response

    return answer


def _replaced(done: Replacement) -> web.Response:
    answer = ReplacedAnswer(
        baseline=_summary(done.after),
        replaced=None if done.before is None else _summary(done.before),
        columns=[column_answer(column) for column in done.columns],
        refused=done.refused,
    )
    if done.not_stored is not None:
        text = f"it is in use, but not stored yet: {done.not_stored}"
        return json_response(msgspec.structs.replace(answer, error=text), 503)
    return json_response(answer)


def _summary(baseline: Baseline) -> BaselineSummary:
    return BaselineSummary(
        id=baseline.id,
        source=baseline.source,
        samples=baseline.samples,
        outcomes=baseline.outcomes,
    )


def column_answer(column: ColumnDifference) -> DifferenceAnswer:
    """Return the difference of a column."""
    drift = column.drift
    return DifferenceAnswer(
        name=column.column.name,
        role=column.column.role,
        kind=column.column.kind,
        change=column.change,
        psi=drift.psi if drift else None,
        psi_critical=drift.critical if drift else None,
        samples=column.samples,
        outside_ratio=column.outside,
        sentences=column.sentences,
    )
