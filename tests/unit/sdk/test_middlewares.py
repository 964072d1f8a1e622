"""The middlewares, driven by hand: what they log, and that they change nothing."""

import ast
import asyncio
import gzip
import logging
import random
import re
import time
from pathlib import Path

import pytest
from unit.sdk.http_servers import call_asgi, call_wsgi, echo_asgi, echo_wsgi

import mlguard
from mlguard import asgi, wsgi
from mlguard.json_paths import Paths

ROWS = Paths(features="instances.*", y_pred="predictions.*")
ONE = Paths(features=".", y_pred="label", y_proba="score", id="order", classes=["no", "yes"])


@pytest.fixture(params=["asgi", "wsgi"])
def serve(request, guard):
    """Answers one request by a middleware and what it wraps, of either kind."""

    def asgi_of(answer, body, paths=ROWS, *, status=200, out=None, limit=1 << 20, pieces=1, **call):
        inner = echo_asgi(answer, status=status, headers=out, parts=pieces)
        app = asgi.MLGuardMiddleware(inner, guard, {"/predict": paths}, max_body_bytes=limit)
        found = call_asgi(app, body, pieces=pieces, **call)
        return (*found, b"".join(inner.seen))

    def wsgi_of(answer, body, paths=ROWS, *, status=200, out=None, limit=1 << 20, pieces=1, **call):
        headers = call.pop("headers", {"content-type": "application/json"})
        names = {"content-type": "CONTENT_TYPE", "content-encoding": "HTTP_CONTENT_ENCODING"}
        environ = {names[name]: value for name, value in headers.items()}
        inner = echo_wsgi(
            answer, status=f"{status} Words", headers=out, parts=pieces, read=in_pieces(pieces)
        )
        app = wsgi.MLGuardMiddleware(inner, guard, {"/predict": paths}, max_body_bytes=limit)
        found = call_wsgi(app, body, **call, **environ)
        return (*found, b"".join(inner.seen))

    return asgi_of if request.param == "asgi" else wsgi_of


def in_pieces(pieces):
    return lambda stream: (
        b"".join(iter(lambda: stream.read(7), b"")) if pieces > 1 else stream.read()
    )


def unread(guard):
    return dict(guard.stats().unread_by_reason)


@pytest.mark.parametrize("pieces", [1, 3, 17])
def test_each_row_is_an_inference(serve, guard, sidecar, pieces):
    rows = {"instances": [{"age": 29, "plan": "é"}, {"age": 41}]}
    status, body, seen = serve({"predictions": [1, 0]}, rows, pieces=pieces)
    assert (status, body) == (200, b'{"predictions": [1, 0]}')
    assert seen == b'{"instances": [{"age": 29, "plan": "\\u00e9"}, {"age": 41}]}'
    assert guard.flush()
    assert sidecar.feature("age") == [29, 41]
    assert sidecar.feature("plan") == ["é", None]
    assert sidecar.column("y_pred") == [1, 0]
    assert all(0 < each < 20_000 for each in sidecar.column("latency_ms"))
    assert unread(guard) == {}


def test_a_request_without_rows_is_one_inference(serve, guard, sidecar):
    serve({"label": "yes", "score": [0.2, 0.8]}, {"order": "o-1", "age": 29}, ONE)
    assert guard.flush()
    (batch,) = sidecar.batches
    columns = batch["columns"]
    assert columns["features"] == {"order": ["o-1"], "age": [29]}
    assert columns["y_pred"] == ["yes"]
    assert columns["y_proba"] == [{"no": 0.2, "yes": 0.8}]
    assert columns["id"] == ["o-1"]


def test_arrays_columns_and_ids_of_the_response(serve, guard, sidecar):
    paths = Paths(
        features="x.*",
        y_proba="out.*.p",
        response_id="out.*.id",
        feature_names=["a", "b"],
        classes=["n", "y"],
    )
    out = {"out": [{"p": [0.5, 0.5], "id": "1"}, {"p": [0.1, 0.9], "id": "2"}]}
    serve(out, {"x": [[1, 2], [3, 4]]}, paths)
    columns = Paths(features="columns", y_pred="*")
    serve([7, 8, 9], {"columns": {"a": [5, 6, 7], "b": [6, 7, 8]}}, columns)
    assert guard.flush()
    assert sidecar.feature("a") == [1, 3, 5, 6, 7]
    assert sidecar.feature("b") == [2, 4, 6, 7, 8]
    assert sidecar.column("id")[:2] == ["1", "2"]
    assert sidecar.column("y_proba")[:2] == [{"n": 0.5, "y": 0.5}, {"n": 0.1, "y": 0.9}]
    assert sidecar.column("y_pred") == [None, None, 7, 8, 9]


def test_predictions_that_are_arrays_of_one_element(serve, guard, sidecar):
    serve({"predictions": [[0.7], [0.2]]}, {"instances": [[1], [2]]})
    serve([[0.5]], {"a": 3}, Paths(features=".", y_pred="0"))
    assert guard.flush()
    assert sorted(sidecar.column("y_pred")) == [0.2, 0.5, 0.7]


def test_without_paths_requests_are_timed(serve, guard, sidecar):
    assert serve(b"<html>", b"not JSON", Paths(), out={"content-type": "text/html"})[0] == 200
    assert guard.flush()
    assert sidecar.events == 1
    assert sidecar.column("latency_ms")[0] > 0
    assert unread(guard) == {}


@pytest.mark.parametrize("status", [199, 302, 404, 422, 500, 503])
def test_only_successes_are_inferences(serve, guard, sidecar, status):
    assert serve({"predictions": [1]}, {"instances": [[1]]}, status=status)[0] == status
    assert serve({"predictions": [1]}, {"instances": [[1]]}, status=201)[0] == 201
    assert guard.flush()
    assert sidecar.events == 1


@pytest.mark.parametrize(
    "call", [{"method": "GET"}, {"method": "HEAD"}, {"method": "PUT"}, {"path": "/predict/"},
             {"path": "/health"}]
)  # fmt: skip
def test_other_requests_pass(serve, guard, sidecar, call):
    assert serve({"predictions": [1]}, {"instances": [[1]]}, **call)[:2] == (
        200,
        b'{"predictions": [1]}',
    )
    guard.log(y_pred="the only one")
    assert guard.flush()
    assert sidecar.column("y_pred") == ["the only one"]


def test_ten_thousand_rows(serve, guard, sidecar):
    rows = [{"a": n, "b": str(n)} for n in range(10_000)]
    serve({"predictions": list(range(10_000))}, {"instances": rows}, pieces=9)
    assert guard.flush(10)
    assert sidecar.feature("a") == sidecar.column("y_pred") == list(range(10_000))
    assert len(set(sidecar.column("latency_ms"))) == 1


def test_no_rows_are_no_inferences(serve, guard, sidecar):
    serve({"predictions": []}, {"instances": []})
    serve({}, {"instances": []}, Paths(features="instances.*"))
    guard.log(y_pred="the only one")
    assert guard.flush()
    assert sidecar.column("y_pred") == ["the only one"]
    assert guard.stats().dropped == 0
    assert unread(guard) == {}


GZIP = gzip.compress(b'{"instances": [[1]]}', mtime=0)
HTML = {"content-type": "text/html"}


@pytest.mark.parametrize(
    ("body", "call", "reason", "text"),
    [
        (b"{", {}, "invalid_json", "1 bytes have passed, which are not JSON: JSONDecodeError"),
        (b"", {}, "invalid_json", "0 bytes have passed"),
        (b"\xff\xfe\x00", {}, "invalid_json", "3 bytes"),
        (b"[" * 100_000, {}, "invalid_json", "RecursionError"),
        ({"rows": [], "model": 1}, {}, "not_found",
         "found no key 'instances' in the request of /predict; found keys: rows, model"),
        ({"instances": 1}, {}, "not_found",
         "found no list at 'instances' in the request of /predict; found a number"),
        ({"instances": [[1], [1, 2]]}, {}, "other_form",
         "found rows of [1, 2] values, expected one number, at 'instances.*' of the request"),
        (b" " * 2_000 + b"{}", {"limit": 2_000}, "too_large",
         "bytes, and max_body_bytes is 2,000"),
        (GZIP, {"headers": {"content-encoding": "gzip"}}, "encoded",
         "the request is not read: its Content-Encoding is gzip, expected none"),
        (b"a=1", {"headers": {"content-type": "application/x-www-form-urlencoded"}}, "not_json",
         "its Content-Type is application/x-www-form-urlencoded, expected JSON"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_read_costs_its_features(
    serve, guard, sidecar, caplog, body, call, reason, text
):
    with caplog.at_level(logging.WARNING, "mlguard"):
        for _ in range(3):
            status, answer, seen = serve({"predictions": [7]}, body, **call)
            assert (status, answer) == (200, b'{"predictions": [7]}')
            if isinstance(body, bytes):
                assert seen == body
        assert guard.flush()
    assert sidecar.column("y_pred") == [7, 7, 7]
    assert sidecar.feature("x0") == [None] * 3
    assert all(each > 0 for each in sidecar.column("latency_ms"))
    assert unread(guard) == {reason: 3}
    (record,) = caplog.records
    start = "inferences of /predict are logged without features: "
    assert record.getMessage().startswith(start)
    assert text in record.getMessage()


@pytest.mark.parametrize(
    ("answer", "call", "reason", "text"),
    [
        (b"not JSON", {}, "invalid_json", "predictions: the response is not read: 8 bytes"),
        (b"{}", {}, "not_found", "found no key 'predictions' in the response of /predict; found"),
        (b" " * 100, {"limit": 99}, "too_large", "it has over 99 bytes"),
        (GZIP, {"out": {"content-encoding": "gzip"}}, "encoded", "Content-Encoding is gzip"),
        (b"data: 1", {"out": {"content-type": "text/event-stream"}}, "not_json", "event-stream"),
        ({"predictions": [1, 2, 3]}, {}, "other_length", "found 3 of y_pred, and 2 of features"),
    ],
)
def test_a_response_that_cannot_be_read_costs_its_predictions(
    serve, guard, sidecar, caplog, answer, call, reason, text
):
    with caplog.at_level(logging.WARNING, "mlguard"):
        for _ in range(2):
            serve(answer, {"instances": [{"a": 1}, {"a": 2}]}, **call)
        assert guard.flush()
    assert sidecar.feature("a") == [1, 2, 1, 2]
    assert sidecar.column("y_pred") == [None] * 4
    assert unread(guard) == {reason: 2}
    assert [text in each.getMessage() for each in caplog.records] == [True]


def test_nothing_readable_is_one_timed_inference(serve, guard, sidecar):
    serve(b"?", b"?")
    assert guard.flush()
    assert sidecar.events == 1
    assert unread(guard) == {"invalid_json": 2}


def test_a_fault_of_the_middleware_is_logged_and_not_raised(
    serve, guard, sidecar, monkeypatch, caplog
):
    monkeypatch.setattr("mlguard.exchange.features_by_column", lambda *_, **__: 1 / 0)
    with caplog.at_level(logging.WARNING, "mlguard"):
        for _ in range(2):
            assert serve({"predictions": [1]}, {"instances": [[1]]})[0] == 200
        assert guard.flush()
    assert sidecar.events == 2
    assert unread(guard) == {"error": 2}
    assert [each.getMessage() for each in caplog.records] == [
        "requests of /predict are only timed: ZeroDivisionError: division by zero"
    ]


def test_a_closed_guard_harms_nobody(serve, guard):
    guard.close()
    assert serve({"predictions": [1]}, {"instances": [[1]]})[0] == 200
    assert guard.stats().dropped_by_reason == {"closed": 1}


def test_what_is_configured_wrongly_is_refused_at_once(guard):
    for module in (asgi, wsgi):
        make = module.MLGuardMiddleware
        with pytest.raises(ValueError, match="'predict' does not start with /"):
            make(None, guard, {"predict": Paths()})
        with pytest.raises(TypeError, match="the route /predict has a str, expected Paths"):
            make(None, guard, {"/predict": "instances"})
        with pytest.raises(TypeError, match="guard is of type str, expected a Guard"):
            make(None, "shop", {"/predict": Paths()})
        with pytest.raises(ValueError, match="max_body_bytes must be 0 or more"):
            make(None, guard, {}, max_body_bytes=-1)


def test_two_models_have_a_middleware_each(make_guard, sidecar):
    churn, price = make_guard(model="churn"), make_guard(model="price")
    app = asgi.MLGuardMiddleware(echo_asgi([1]), churn, {"/churn": Paths(y_pred="*")})
    app = asgi.MLGuardMiddleware(app, price, {"/price": Paths(y_pred="*")})
    call_asgi(app, [], path="/churn")
    call_asgi(app, [], path="/price")
    call_asgi(app, [], path="/price")
    assert churn.flush()
    assert price.flush()
    models = [b["model_id"] for b in sidecar.batches for _ in b["columns"]["timestamp"]]
    assert sorted(models) == ["churn", "price", "price"]


def examples_of_paths():
    page = (Path(mlguard.__file__).parents[1] / "MODEL_SERVERS.md").read_text()
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \| (\d) \|$", page, re.MULTILINE)
    assert len(rows) == 5
    return rows


@pytest.mark.parametrize(("request_body", "answer", "paths", "inferences"), examples_of_paths())
def test_the_manual_s_examples_of_paths(
    serve, guard, sidecar, request_body, answer, paths, inferences
):
    arguments = ast.parse(f"f({paths})", mode="eval").body.keywords
    paths = Paths(**{each.arg: ast.literal_eval(each.value) for each in arguments})
    serve(answer.encode(), request_body.encode(), paths)
    assert guard.flush()
    assert sidecar.events == int(inferences)
    assert unread(guard) == {}
    assert 29 in sidecar.feature("age")
    assert not {*sidecar.column("y_pred"), *sidecar.column("y_proba")} - {1, 0, 0.8, 0.1, None}


# ASGI


def asgi_app(inner, guard, paths=ROWS):
    return asgi.MLGuardMiddleware(inner, guard, {"/predict": paths})


@pytest.mark.parametrize("after", ["nothing", "start", "part", "all"])
def test_asgi_exceptions_propagate_and_only_answers_are_logged(guard, sidecar, after):
    async def app(_scope, receive, send):
        await receive()
        if after != "nothing":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if after in {"part", "all"}:
            more = after == "part"
            body = b'{"predictions": [1]}'
            await send({"type": "http.response.body", "body": body, "more_body": more})
        raise KeyError(after)

    with pytest.raises(KeyError, match=after):
        call_asgi(asgi_app(app, guard), {"instances": [[1]]})
    guard.log(y_pred="last")
    assert guard.flush()
    assert set(sidecar.column("y_pred")) == ({1, "last"} if after == "all" else {"last"})
    assert sidecar.events == (2 if after == "all" else 1)


def test_asgi_a_cancelled_request_is_not_logged(guard):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    async def main():
        async def send(_message):
            pass

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        task = asyncio.create_task(asgi_app(app, guard)(scope, None, send))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert guard.stats().queued + guard.stats().sent == 0


def test_asgi_a_client_that_left_is_not_logged(guard):
    async def app(_scope, receive, send):
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    call_asgi(asgi_app(app, guard), {}, leaves=True)
    assert guard.stats().queued + guard.stats().sent == 0


def test_asgi_streams_are_not_held_up_and_timed_to_the_last_byte(guard, sidecar):
    paths = Paths(features=".")
    order = []

    async def app(_scope, receive, send):
        for n in range(3):
            order.append(f"read {(await receive())['body'].decode()}")
            if n == 0:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(n).encode(), "more_body": n < 2})
            await asyncio.sleep(0.05)
        order.append(f"logged before the background work: {guard.stats().queued > 0}")
        await asyncio.sleep(0.3)

    chunks = [b'{"a"', b": 1", b"}"]

    async def receive():
        order.append("server reads")
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message):
        order.append(message["type"].rpartition(".")[2])

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
    sidecar.reads = False
    asyncio.run(asgi_app(app, guard, paths)(scope, receive, send))
    assert order == [
        "server reads", 'read {"a"', "start", "body",
        "server reads", "read : 1", "body",
        "server reads", "read }", "body",
        "logged before the background work: True",
    ]  # fmt: skip
    sidecar.reads = True
    assert guard.flush(10)
    assert sidecar.feature("a") == [1]
    assert 100 <= sidecar.column("latency_ms")[0] < 300


@pytest.mark.parametrize("paths", [ROWS, Paths(features="instances.*")])
def test_asgi_a_file_that_the_server_sends_is_not_read(guard, sidecar, paths):
    async def app(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/a.json"})

    call_asgi(asgi_app(app, guard, paths), {"instances": [[1]]})
    assert guard.flush()
    assert sidecar.feature("x0") == [1]
    assert unread(guard) == ({"not_passed": 1} if paths is ROWS else {})


@pytest.mark.parametrize(
    "kind", ["http.response.push", "http.response.trailers", "http.response.debug"]
)
def test_asgi_other_extensions_do_not_make_a_body_unreadable(guard, sidecar, kind):
    async def app(_scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": kind})
        await send({"type": "http.response.body", "body": b'{"predictions": [7]}'})

    call_asgi(asgi_app(app, guard), {"instances": [[1]]})
    assert guard.flush()
    assert sidecar.column("y_pred") == [7]
    assert unread(guard) == {}


@pytest.mark.parametrize("root", ["/api", "/api/"])
@pytest.mark.parametrize("path", ["/api/predict", "/predict"])
def test_asgi_what_an_application_is_mounted_under_is_no_part_of_a_route(
    guard, sidecar, root, path
):
    app = asgi_app(echo_asgi({"predictions": [1]}), guard)
    call_asgi(app, {"instances": [[1]]}, path=path, root_path=root)
    assert guard.flush()
    assert sidecar.events == 1


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "something new"])
def test_asgi_other_scopes_pass_as_they_are(guard, kind):
    given = []

    async def app(scope, receive, send):
        given.append((scope, await receive()))
        await send({"type": "anything"})

    async def receive():
        return "a message"

    async def send(message):
        given.append(message)

    scope = {"type": kind}
    asyncio.run(asgi_app(app, guard)(scope, receive, send))
    assert given[0][0] is scope
    assert given == [(scope, "a message"), {"type": "anything"}]


def test_asgi_the_end_of_the_lifespan_flushes(guard, sidecar):
    async def app(_scope, _receive, send):
        guard.log(y_pred=1)
        await send({"type": "lifespan.shutdown.complete"})

    seen = []

    async def send(_message):
        seen.append(sidecar.events)

    asyncio.run(asgi_app(app, guard)({"type": "lifespan"}, None, send))
    assert seen == [1]


def test_asgi_the_event_loop_runs_while_the_end_of_the_lifespan_flushes(guard, sidecar):
    async def app(_scope, _receive, send):
        sidecar.reads = False
        guard.log(y_pred=1)
        await send({"type": "lifespan.shutdown.complete"})

    seen = []

    async def send(_message):
        seen.append(sidecar.events)

    async def other_task():
        sidecar.reads = True

    async def main():
        await asyncio.gather(asgi_app(app, guard)({"type": "lifespan"}, None, send), other_task())

    asyncio.run(main())
    assert seen == [1]


def test_asgi_odd_messages_of_the_application_are_the_server_s_to_refuse(guard):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": 7})
        await send({"type": "http.response.body", "body": 7})

    call = []

    async def send(message):
        call.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [(b"a",)]}
    asyncio.run(asgi_app(app, guard)(scope, None, send))
    assert [each["type"] for each in call] == ["http.response.start", "http.response.body"]
    assert unread(guard) == {"error": 2}


# WSGI


def wsgi_app(inner, guard, paths=ROWS):
    return wsgi.MLGuardMiddleware(inner, guard, {"/predict": paths})


@pytest.mark.parametrize("after", ["nothing", "start", "part"])
def test_wsgi_exceptions_propagate_and_are_not_logged(guard, after):
    def app(environ, start_response):
        environ["wsgi.input"].read()
        if after == "nothing":
            raise KeyError(after)
        start_response("200 OK", [])
        if after == "start":
            raise KeyError(after)

        def parts():
            yield b'{"predictions"'
            raise KeyError(after)

        return parts()

    with pytest.raises(KeyError, match=after):
        call_wsgi(wsgi_app(app, guard), {"instances": [[1]]})
    assert guard.stats().queued + guard.stats().sent == 0


@pytest.mark.usefixtures("sidecar")
def test_a_length_over_the_limit_is_not_even_kept(guard):
    inner = echo_asgi({"predictions": [1]})
    app = asgi.MLGuardMiddleware(inner, guard, {"/predict": ROWS}, max_body_bytes=5)
    headers = {"content-type": "application/json", "content-length": "1234567"}
    assert call_asgi(app, {"instances": [[1]]}, headers=headers)[0] == 200
    assert guard.flush()
    assert unread(guard) == {"too_large": 2}


def test_wsgi_generators_write_and_late_starts(guard, sidecar):
    def late(environ, start_response):
        environ["wsgi.input"].readlines()
        start_response("500 Oops", [])
        start_response("200 OK", [("Content-Type", "application/json")], (None, None, None))
        yield b'{"predictions": '
        yield b"[1]}"

    def writes(environ, start_response):
        for _ in environ["wsgi.input"]:
            pass
        write = start_response("200 OK", [])
        write(b'{"predictions": ')
        return (b"[2]}",)

    def lines(environ, start_response):
        environ["wsgi.input"].readline()
        environ["wsgi.input"].readline(100)
        start_response("200 OK", [])
        return [b'{"predictions": [3]}']

    def into(environ, start_response):
        buffer = bytearray(8)
        while environ["wsgi.input"].readinto(buffer):
            pass
        assert environ["wsgi.input"].readable()
        start_response("200 OK", [])
        return [b'{"predictions": [4]}']

    def single(environ, start_response):
        while environ["wsgi.input"].read1(8):
            pass
        start_response("200 OK", [])
        return [b'{"predictions": [5]}']

    for app in (late, writes, lines, into, single):
        assert call_wsgi(wsgi_app(app, guard), b'{"instances":\n[[5]]}')[0] == 200
    assert guard.flush()
    assert unread(guard) == {}
    assert sidecar.column("y_pred") == [1, 2, 3, 4, 5]
    assert sidecar.feature("x0") == [5] * 5
    assert unread(guard) == {}


def test_wsgi_a_response_that_is_not_sent_to_its_end_is_not_logged(guard):
    closed = []

    class Response:
        def __iter__(self):
            return iter([b"a", b"b"])

        def close(self):
            closed.append(True)

    def app(_environ, start_response):
        start_response("200 OK", [])
        return Response()

    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/predict", "wsgi.input": None}
    response = wsgi_app(app, guard)(environ, lambda *_: None)
    assert next(response) == b"a"
    response.close()
    assert closed == [True]
    assert guard.stats().queued + guard.stats().sent == 0


def test_wsgi_a_close_that_raises_is_raised_and_logged_all_the_same(guard, sidecar):
    class Response(list):
        def close(self):
            raise KeyError("close")

    def app(environ, start_response):
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        return Response([b'{"predictions": [1]}'])

    with pytest.raises(KeyError, match="close"):
        call_wsgi(wsgi_app(app, guard), {"instances": [[1]]})
    assert guard.flush()
    assert sidecar.column("y_pred") == [1]


def test_wsgi_the_number_of_parts_is_what_it_was(guard):
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/predict", "wsgi.input": None}
    sized = wsgi_app(lambda *_: [b"a"], guard)(dict(environ), None)
    assert len(sized) == 1
    unsized = wsgi_app(lambda *_: iter([b"a"]), guard)(dict(environ), None)
    assert not hasattr(unsized, "__len__")


def test_wsgi_routes_are_text_and_leave_out_the_mount(guard, sidecar):
    app = wsgi.MLGuardMiddleware(echo_wsgi([1]), guard, {"/prédire": Paths(y_pred="*")})
    call_wsgi(app, [], path="/prédire".encode().decode("latin-1"), SCRIPT_NAME="/api")
    assert guard.flush()
    assert sidecar.events == 1


def test_wsgi_the_latency_ends_with_the_last_byte(guard, sidecar):
    class Response(list):
        def close(self):
            time.sleep(0.3)

    def app(_environ, start_response):
        start_response("200 OK", [])
        return Response([b"{}"])

    call_wsgi(wsgi_app(app, guard, Paths()), {})
    assert guard.flush()
    assert sidecar.column("latency_ms")[0] < 300


def test_many_odd_requests_lose_none(serve, guard, sidecar):
    draw = random.Random(1)
    pieces = [b"{", b"}", b"[", b"]", b'"instances"', b":", b"1", b",", b"null", b'"a"', b" "]
    for _ in range(300):
        body = b"".join(draw.choices(pieces, k=draw.randrange(12)))
        answer = b"".join(draw.choices(pieces, k=draw.randrange(12)))
        assert serve(answer, body, pieces=draw.randrange(1, 4))[1:] == (answer, body)
    assert guard.flush()
    assert sidecar.events == 300
    assert guard.stats().dropped == 0
