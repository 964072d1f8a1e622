"""The middlewares around applications of FastAPI and Flask."""

import json

import pytest
from unit.sdk.http_servers import call_asgi, call_wsgi

from mlguard import asgi, wsgi
from mlguard.json_paths import Paths

fastapi = pytest.importorskip("fastapi")
flask = pytest.importorskip("flask")

ROWS = Paths(features="instances.*", y_pred="predictions.*")
BODY = {"instances": [{"age": 29}, {"age": 41}]}


def application():
    app = fastapi.FastAPI()

    @app.post("/predict")
    def answer(body: dict) -> dict:
        return {"predictions": [row["age"] for row in body["instances"]]}

    @app.post("/stream")
    def stream(body: dict):
        def parts():
            yield '{"predictions": ['
            yield ",".join(str(row["age"]) for row in body["instances"])
            yield "]}"

        return fastapi.responses.StreamingResponse(parts(), media_type="application/json")

    @app.post("/events")
    def events():
        return fastapi.responses.StreamingResponse(
            iter(["data: 1\n\n"] * 3), media_type="text/event-stream"
        )

    @app.post("/background")
    def background(tasks: fastapi.BackgroundTasks) -> dict:
        tasks.add_task(lambda: 1 / 0)
        return {"predictions": [1]}

    return app


def watched(app, guard, url, paths=ROWS):
    app.add_middleware(asgi.MLGuardMiddleware, guard=guard, routes={url: paths})
    return app


@pytest.mark.parametrize("url", ["/predict", "/stream"])
def test_fastapi_answers_are_logged(guard, sidecar, url):
    status, body = call_asgi(watched(application(), guard, url), BODY, path=url)
    assert (status, json.loads(body)) == (200, {"predictions": [29, 41]})
    assert guard.flush()
    assert sidecar.column("y_pred") == sidecar.feature("age") == [29, 41]


def test_events_are_timed(guard, sidecar):
    app = watched(application(), guard, "/events", Paths())
    assert call_asgi(app, {}, path="/events") == (200, b"data: 1\n\n" * 3)
    assert guard.flush()
    assert sidecar.events == 1
    assert guard.stats().unread_by_reason == {}


def test_background_work_that_fails_is_no_part_of_the_answer(guard, sidecar):
    app = watched(application(), guard, "/background", Paths(y_pred="predictions.*"))
    with pytest.raises(ZeroDivisionError):
        call_asgi(app, {}, path="/background")
    assert guard.flush()
    assert sidecar.column("y_pred") == [1]


def test_invalid_requests_are_not_inferences(guard):
    assert call_asgi(watched(application(), guard, "/predict"), b"{", path="/predict")[0] == 422
    assert guard.stats().queued + guard.stats().sent == 0


@pytest.mark.parametrize("is_inside", [True, False])
def test_a_compressed_answer_is_read_only_inside_of_the_compression(guard, sidecar, is_inside):
    from starlette.middleware.gzip import GZipMiddleware

    app = application()
    if not is_inside:
        app.add_middleware(GZipMiddleware, minimum_size=1)
    watched(app, guard, "/predict")
    if is_inside:
        app.add_middleware(GZipMiddleware, minimum_size=1)
    headers = {"content-type": "application/json", "accept-encoding": "gzip"}
    _, body = call_asgi(app, BODY, headers=headers)
    assert body.startswith(b"\x1f\x8b")
    assert guard.flush()
    assert sidecar.feature("age") == [29, 41]
    assert sidecar.column("y_pred") == ([29, 41] if is_inside else [None, None])
    assert guard.stats().unread_by_reason == ({} if is_inside else {"encoded": 1})


def test_a_middleware_that_listens_for_the_client_s_end(guard, sidecar):
    app = application()

    @app.middleware("http")
    async def passes(request, call_next):
        return await call_next(request)

    call_asgi(watched(app, guard, "/stream"), BODY, path="/stream")
    assert guard.flush()
    assert sidecar.column("y_pred") == [29, 41]


@pytest.mark.parametrize("url", ["/v1/predict", "/predict"])
def test_mounted_applications(guard, sidecar, url):
    outer = fastapi.FastAPI()
    inner = application()
    (watched(inner, guard, url) if url == "/predict" else watched(outer, guard, url))
    outer.mount("/v1", inner)
    assert call_asgi(outer, BODY, path="/v1/predict")[0] == 200
    assert guard.flush()
    assert sidecar.feature("age") == [29, 41]


def test_flask_answers_are_logged(guard, sidecar):
    app = flask.Flask(__name__)

    @app.post("/predict")
    def answer():
        return {"predictions": [row["age"] for row in flask.request.get_json()["instances"]]}

    @app.post("/stream")
    def stream():
        rows = flask.request.get_json()["instances"]
        parts = ['{"predictions": [', ",".join(str(row["age"]) for row in rows), "]}"]
        return flask.Response(flask.stream_with_context(iter(parts)), mimetype="application/json")

    routes = {"/predict": ROWS, "/stream": ROWS}
    app.wsgi_app = wsgi.MLGuardMiddleware(app.wsgi_app, guard, routes)
    server = {
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
    }
    for url in routes:
        status, body = call_wsgi(app, BODY, path=url, **server)
        assert (status, json.loads(body)) == (200, {"predictions": [29, 41]})
    assert call_wsgi(app, b"{", **server)[0] == 400
    assert guard.flush()
    assert sidecar.column("y_pred") == sidecar.feature("age") == [29, 41] * 2
