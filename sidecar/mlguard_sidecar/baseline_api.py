"""HTTP API of baselines: read, put, promoted and learnt again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from mlguard_sidecar.baseline import dump
from mlguard_sidecar.baseline_service import UnsuitableError
from mlguard_sidecar.models import BaselineRefusedError, UnknownModelError
from mlguard_sidecar.responses import json_response, model_key, no_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler

    from mlguard_sidecar.baseline import Baseline
    from mlguard_sidecar.baseline_service import BaselineService, Replacement
    from mlguard_sidecar.models import ModelView
    from mlguard_sidecar.statistics import ColumnDifference
    from mlguard_sidecar.wire import ModelKey


class _Promotion(msgspec.Struct, forbid_unknown_fields=True):
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

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        path = "/api/v1/models/{project}/{model}/{endpoint}/baseline"
        return [
            web.get(path, self._get),
            web.put(path, _answering(self._put)),
            web.post(f"{path}/relearn", _answering(self._relearn)),
            web.post(f"{path}/promote", _answering(self._promote)),
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
        return json_response({"events": self.service.relearn(model_key(request))})

    async def _promote(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=_Promotion)
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
    answer = {
        "baseline": _summary(done.after),
        "replaced": None if done.before is None else _summary(done.before),
        "columns": [column_json(column) for column in done.columns],
        "refused": done.refused,
    }
    if done.not_stored is not None:
        text = f"it is in use, but not stored yet: {done.not_stored}"
        return json_response(answer | {"error": text}, 503)
    return json_response(answer)


def _summary(baseline: Baseline) -> dict[str, Any]:
    found = {"id": baseline.id, "source": baseline.source, "samples": baseline.samples}
    return found | {"outcomes": baseline.outcomes}


def column_json(column: ColumnDifference) -> dict[str, Any]:
    """Return the difference of a column as JSON."""
    drift = column.drift
    return {
        "name": column.column.name,
        "role": column.column.role,
        "kind": column.column.kind,
        "change": column.change,
        "psi": drift.psi if drift else None,
        "psi_critical": drift.critical if drift else None,
        "samples": column.samples,
        "outside_ratio": column.outside,
        "sentences": column.sentences,
    }
