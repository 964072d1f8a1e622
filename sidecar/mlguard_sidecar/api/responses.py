"""What the handlers of the API share: the model of a path, and answers in JSON."""

from __future__ import annotations

import msgspec
from aiohttp import web

from mlguard_sidecar.wire import ModelKey


def model_key(request: web.Request) -> ModelKey:
    """Return the model that a path names."""
    names = request.match_info
    return ModelKey(names["project"], names["model"], names["endpoint"])


def json_response(answer: object, status: int = 200) -> web.Response:
    """Return an answer in JSON."""
    body = msgspec.json.encode(answer)
    return web.Response(body=body, status=status, content_type="application/json")


def no_model(key: ModelKey) -> web.Response:
    """Return the answer of a path whose model does not exist."""
    return json_response({"error": f"found no model {'/'.join(key)}"}, 404)
