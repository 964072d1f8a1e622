"""What receivers answer, and what becomes of a notification: real mail and HTTP servers."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from support.receivers import SLACK_SITE, Mailbox
from support.sidecar import free_port

from mlguard_rules import apprise_worker
from mlguard_rules.alert import Alert
from mlguard_rules.errors import SendError, SendReason
from mlguard_rules.notify import (
    AlertGroup,
    Links,
    Notification,
    NotifyConfig,
    ReceiverQueue,
    Route,
    render,
)

SECRET = "hunter2secret"
NOTE = Notification("[INFO] a title", "**a** body", "info", id="1", created_at=1.0)


def failure(url: str) -> SendError:
    with pytest.raises(SendError) as caught:
        asyncio.run(apprise_worker.send(url, NOTE))
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


class Answering:
    """Answers every request over HTTP alike."""

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "reason", "text"),
    [
        (400, b'{"error": "bad thing"}', SendReason.REFUSED, "it answered HTTP 400: bad thing"),
        (413, b"too large", SendReason.REFUSED, "it answered HTTP 413: too large"),
        (422, b"<html>no</html>", SendReason.REFUSED, "it answered HTTP 422"),
        (401, f"bad token {SECRET}".encode(), SendReason.CREDENTIALS, "HTTP 401: bad token ***"),
        (403, b"", SendReason.CREDENTIALS, "it answered HTTP 403"),
        (404, b"no_team", SendReason.CREDENTIALS, "it answered HTTP 404: no_team"),
        (429, b"", SendReason.RATE_LIMIT, "it answered HTTP 429"),
        (500, b"oops", SendReason.UNAVAILABLE, "it answered HTTP 500: oops"),
        (503, b"", SendReason.UNAVAILABLE, "it answered HTTP 503"),
    ],
)
def test_an_answer_over_http_is_told_as_what_it_is(status, body, reason, text):
    with Answering(status, body) as server:
        error = failure(f"json://user:{SECRET}@127.0.0.1:{server.port}/x")
    assert (error.reason, error.rejected) == (reason, reason is SendReason.REFUSED)
    assert text in str(error)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("invalid_blocks", SendReason.REFUSED),
        ("msg_too_long", SendReason.REFUSED),
        ("invalid_auth", SendReason.CREDENTIALS),
        ("token_revoked", SendReason.CREDENTIALS),
        ("channel_not_found", SendReason.CREDENTIALS),
        ("internal_error", SendReason.UNAVAILABLE),
    ],
)
def test_slack_says_no_with_the_status_of_a_yes(monkeypatch, answer, reason):
    body = json.dumps({"ok": False, "error": answer}).encode()
    with Answering(200, body, Content_Type="application/json") as server:
        monkeypatch.setenv("PYTHONPATH", str(SLACK_SITE))
        monkeypatch.setenv("MLGUARD_TEST_SLACK", f"http://127.0.0.1:{server.port}/services")
        error = failure("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7/#ml")
    assert (error.reason, str(error)) == (reason, f"it answered {answer}")


class Refusing:
    """A mail server that refuses at one step."""

    def __init__(self, step: str, answer: str) -> None:
        self.step, self.answer = step, answer

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # noqa: N802
        if self.step == "recipient":
            return self.answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802
        return self.answer if self.step == "message" else "250 OK"


@pytest.fixture
def mail_server():
    started = []

    def start(handler=None, **options) -> int:
        controller = Controller(
            handler or Refusing("", ""), hostname="127.0.0.1", port=free_port(), **options
        )
        controller.start()
        started.append(controller)
        return controller.port

    yield start
    for controller in started:
        controller.stop()


def mail_url(port: int, user: str = "", scheme: str = "mailto") -> str:
    return f"{scheme}://{user}127.0.0.1:{port}/?from=mlguard@example.org&to=team@example.org"


@pytest.mark.parametrize(
    ("step", "answer", "reason", "text"),
    [
        ("recipient", "550 5.1.1 no such user", SendReason.REFUSED, "550: no such user"),
        ("recipient", "553 not here", SendReason.REFUSED, "553: not here"),
        ("message", "554 5.7.1 looks like spam", SendReason.REFUSED, "554: looks like spam"),
        ("message", "552 too large", SendReason.REFUSED, "552: too large"),
        ("message", "451 4.3.0 try later", SendReason.UNAVAILABLE, "451: try later"),
        ("recipient", "450 greylisted", SendReason.UNAVAILABLE, "450: greylisted"),
    ],
)
def test_an_answer_of_a_mail_server_is_told_as_what_it_is(mail_server, step, answer, reason, text):
    error = failure(mail_url(mail_server(Refusing(step, answer))))
    assert (error.reason, str(error)) == (reason, f"it answered {text}")


def test_a_wrong_password_is_told_as_that(mail_server):
    port = mail_server(
        authenticator=lambda *_: AuthResult(success=False, handled=False),
        auth_require_tls=False,
    )
    error = failure(mail_url(port, f"user:{SECRET}@"))
    assert error.reason is SendReason.CREDENTIALS
    assert str(error).startswith("it refused the credentials, answered 535")


def test_a_server_without_passwords_is_told_as_that(mail_server):
    error = failure(mail_url(mail_server(), f"user:{SECRET}@"))
    assert error.reason is SendReason.CREDENTIALS
    assert "takes no user and password" in str(error)


def test_a_certificate_that_is_not_trusted_is_told_as_that(mail_server, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout {key} -out {cert}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    port = mail_server(tls_context=context)
    error = failure(mail_url(port, scheme="mailtos") + "&mode=starttls")
    assert (error.reason, "certificate" in str(error)) == (SendReason.CERTIFICATE, True)
    with Answering(200) as server:
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        error = failure(f"jsons://127.0.0.1:{server.port}/")
    assert (error.reason, "certificate" in str(error)) == (SendReason.CERTIFICATE, True)


def test_nobody_there_and_a_host_that_is_not_known_are_told_as_that():
    error = failure(f"json://127.0.0.1:{free_port()}/")
    assert (error.reason, str(error)) == (SendReason.CONNECTION, "no connection could be made")
    error = failure(mail_url(free_port()))
    assert (error.reason, str(error)) == (SendReason.CONNECTION, "no connection could be made")
    error = failure("json://no-such-host.invalid/")
    assert (error.reason, str(error)) == (SendReason.CONNECTION, "its host name is not known")
    error = failure("nothing://x")
    assert error.reason is SendReason.BAD_URL


# What becomes of it


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def queue_of(answers: dict[str, list], clock: Clock) -> tuple[ReceiverQueue, list[tuple[str, str]]]:
    """A queue whose receiver answers each notification in turn; None for yes."""
    seen: list[tuple[str, str]] = []

    async def send(notification: Notification, *, plain: bool) -> None:  # noqa: ARG001
        left = answers[notification.title]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer is not None:
            raise answer

    queue = ReceiverQueue(
        "r",
        send,
        [Notification(title, "", "info", id=title, created_at=1000.0) for title in answers],
        clock,
        lambda notification, outcome: seen.append((notification.title, outcome)),
        lambda notification: seen.append((notification.title, notification.last_failure)),
    )
    return queue, seen


def run(queue: ReceiverQueue, clock: Clock, seconds: int) -> None:
    async def story() -> None:
        for _ in range(seconds):
            await queue.send_due()
            clock.now += 1

    asyncio.run(story())


@pytest.mark.parametrize("text", ["550", "554", "HTTP 400", "invalid_blocks"])
def test_a_refused_message_is_given_up_and_those_behind_it_pass_at_once(text):
    clock = Clock()
    queue, seen = queue_of(
        {"bad": [SendError(text, SendReason.REFUSED)], "good": [None], "better": [None]}, clock
    )
    run(queue, clock, 1)
    assert seen == [("bad", "refused"), ("good", "sent"), ("better", "sent")]
    run(queue, clock, 600)
    assert seen[3:] == [("bad", "refused")] * 3 + [("bad", "dropped")]
    assert not len(queue)


@pytest.mark.parametrize("reason", [SendReason.CREDENTIALS, SendReason.UNAVAILABLE])
def test_a_rotated_token_or_an_outage_loses_nothing_and_keeps_the_order(reason):
    clock = Clock()
    failing = [SendError("no", reason)] * 50
    queue, seen = queue_of({"first": [*failing, None], "second": [None]}, clock)
    run(queue, clock, 6 * 3600)
    assert seen == [("first", str(reason))] * 50 + [("first", "sent"), ("second", "sent")]


def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long():
    with Answering(429, b"", Retry_After="1200") as server:
        error = failure(f"json://127.0.0.1:{server.port}/")
    assert error.retry_after == 1200
    clock = Clock()
    queue, seen = queue_of({"a": [error, None]}, clock)
    run(queue, clock, 1200)
    assert seen == [("a", "rate_limit")]
    run(queue, clock, 2)
    assert seen == [("a", "rate_limit"), ("a", "sent")]


def test_a_wait_that_was_asked_for_holds_beside_a_refusal_and_over_a_restart():
    clock = Clock()
    later = SendError("later", SendReason.RATE_LIMIT, 3600.0)
    answers = {"refused": [SendError("no", SendReason.REFUSED)], "later": [later, None]}
    queue, seen = queue_of(answers, clock)
    run(queue, clock, 1800)
    assert [name for name, _ in seen].count("later") == 1
    left = list(queue._queue)
    again = ReceiverQueue("r", queue.send, left, clock, queue._done, queue._failed)
    run(again, clock, 1700)
    assert ("later", "sent") not in seen
    run(again, clock, 200)
    assert ("later", "sent") in seen


def test_what_fails_for_no_known_reason_holds_up_others_for_five_attempts_only():
    clock = Clock()
    queue, seen = queue_of({"odd": [SendError("?")], "good": [None]}, clock)
    run(queue, clock, 300)
    assert seen[:6] == [("odd", "unknown")] * 5 + [("good", "sent")]
    run(queue, clock, 4000)
    assert len(queue) == 1, "it is tried on"


def test_a_lone_surrogate_costs_no_notification():
    mailbox = Mailbox()
    note = Notification("[INFO] a\ud800", "b\udc80", "info")
    asyncio.run(apprise_worker.send(mailbox.url, note))
    mailbox.close()
    assert mailbox.got[0]["subject"] == "[INFO] a?"


def test_names_reach_mail_and_slack_as_they_are(monkeypatch):
    names = ["__other__", "__index_level_0__", "_x_", "C:\\data", "a&lt;b", "f_1_x", "~tmp~"]

    (route,) = Route.configured(NotifyConfig())
    text = f"{', '.join(names)} have drifted: {names[0]}."
    alert = Alert((("alertname", "A"),), (("summary", text), ("description", text)), 0.0)
    note = render(AlertGroup(route, (alert,), ()), Links(), 60.0)
    mailbox, slack = Mailbox(), _Slack()
    monkeypatch.setenv("PYTHONPATH", str(SLACK_SITE))
    monkeypatch.setenv("MLGUARD_TEST_SLACK", f"http://127.0.0.1:{slack.port}/services")
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7/#ml"
    with slack:
        for target in (mailbox.url, url):
            asyncio.run(apprise_worker.send(target, note))
    mailbox.close()
    (mail,) = mailbox.got
    html = mail.get_body(["html"]).get_content()
    plain = mail.get_body(["plain"]).get_content()
    posted = slack.got[0]["attachments"][0]["text"].replace("&amp;", "&")
    for name in names:
        assert name in plain
        assert name.replace("&", "&amp;") in html
        assert name in posted
        if name != "f_1_x":
            assert f"`{name}`" in posted, "in Slack only a span of code is left alone"


class _Slack(Answering):
    def __init__(self) -> None:
        super().__init__(200, b"ok")
        self.got: list[dict] = []
        got = self.got
        handler = self.server.RequestHandlerClass

        class Recording(handler):  # type: ignore[valid-type, misc]
            def do_POST(self) -> None:  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append(json.loads(body))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

        self.server.RequestHandlerClass = Recording
