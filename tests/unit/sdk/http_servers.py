"""Servers of ASGI and WSGI that a test drives by hand."""

import asyncio
import io
import json

JSON = {"content-type": "application/json"}


def echo_asgi(answer, *, status=200, headers=None, parts=1, read=True):
    """An application that reads its request and answers in so many parts; it says what it read."""
    text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    seen = []

    async def app(_scope, receive, send):
        while read:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            seen.append(message["body"])
            if not message["more_body"]:
                break
        encoded = [
            (k.encode(), v.encode()) for k, v in (JSON if headers is None else headers).items()
        ]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        step = -(-len(text) // parts)
        for i in range(parts):
            await send(
                {
                    "type": "http.response.body",
                    "body": text[i * step : (i + 1) * step],
                    "more_body": i < parts - 1,
                }
            )

    app.seen = seen
    return app


def call_asgi(
    app, body=b"", *, path="/predict", method="POST", headers=None, pieces=1, leaves=False, **scope
):
    """One request to an ASGI application; returns its status and body."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    step = max(1, -(-len(body) // pieces))
    chunks = [body[i : i + step] for i in range(0, len(body), step)] or [b""]
    sent = []

    async def receive():
        if not chunks and not leaves:
            await asyncio.Event().wait()  # a client that stays
        if not chunks:
            return {"type": "http.disconnect"}
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    whole = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [
            (k.encode(), v.encode()) for k, v in (JSON if headers is None else headers).items()
        ],
        **scope,
    }
    asyncio.run(app(whole, receive, send))
    return sent[0].get("status"), b"".join(each.get("body", b"") for each in sent)


def echo_wsgi(answer, *, status="200 OK", headers=None, parts=1, read=lambda stream: stream.read()):
    """An application that reads its request and answers in so many parts; it says what it read."""
    text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    seen = []

    def app(environ, start_response):
        seen.append(read(environ["wsgi.input"]))
        start_response(status, list((JSON if headers is None else headers).items()))
        step = -(-len(text) // parts)
        return [text[i * step : (i + 1) * step] for i in range(parts)]

    app.seen = seen
    return app


def call_wsgi(
    app, body=b"", *, path="/predict", method="POST", content_type="application/json", **environ
):
    """One request to a WSGI application, as a server makes it; returns its status and body."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    started = []
    written = []

    def start_response(status, *_):
        started.append(status)
        return written.append

    whole = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    response = app(whole, start_response)
    try:
        written.extend(response)
    finally:
        if hasattr(response, "close"):
            response.close()
    return int(started[-1][:3]), b"".join(written)
