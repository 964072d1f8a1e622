"""A small AWS on loopback, which the real boto3 talks to: Cost Explorer and STS."""

from __future__ import annotations

import json
import os
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from support.aws_cost_explorer import Bill, CostExplorer, Failure
from support.aws_faults import (
    ACCOUNT,
    DATA_UNAVAILABLE,
    EXPIRED,
    INVALID_TOKEN,
    LIMIT_EXCEEDED,
    THROTTLED,
    UNRECOGNIZED,
    USER,
    Fault,
    Slow,
    cut_body,
    cut_json,
    denied,
    empty_object,
    no_answer,
    server_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ACCESS_KEY", "ACCOUNT", "DATA_UNAVAILABLE", "EXPIRED", "INVALID_TOKEN", "LIMIT_EXCEEDED",
    "ROLE", "SECRET_KEY", "THROTTLED", "UNRECOGNIZED", "USER", "Bill", "Failure", "FakeAws",
    "Request", "Session", "Slow", "cut_body", "cut_json", "denied", "empty_object", "no_answer",
    "server_error",
]  # fmt: skip

ROLE = f"arn:aws:iam::{ACCOUNT}:role/mlguard"
ACCESS_KEY = "AKIAFAKEFAKEFAKEFAKE"
SECRET_KEY = "fake/secret+key"
_WEB_IDENTITY = "AssumeRoleWithWebIdentity"
_TARGET = "AWSInsightsIndexService."
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"


@dataclass(frozen=True)
class Request:
    """One request that was received."""

    operation: str
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Session:
    """What AssumeRole gave; a test may let it expire."""

    role: str
    name: str
    key: str
    token: str
    expired: bool = False


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.fake._serve(self, raw)

    def do_GET(self) -> None:
        self.answer(404, b"")

    def answer(self, status: int, body: bytes, kind: str = "application/x-amz-json-1.1") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "00000000-0000-0000-0000-000000000000")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    fake: FakeAws

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no news."""


class FakeAws(CostExplorer):
    """AWS as one account sees it; see `CostExplorer` for what can be set.

    Attributes:
        requests: every request, in order.
        faults: what is answered instead, one for each request; None lets one through; a pair of an
            operation and a fault waits for that operation.
        denied: actions that no policy allows, such as ce:GetCostAndUsage; may change.
        external_id: what AssumeRole asks for; None for nothing.
        roles: the roles that exist.
        sessions: what AssumeRole gave.
        session_seconds: how long that is good for.
        web_token: what AssumeRoleWithWebIdentity takes.
        before: called with each request before it is answered; a test may change bills in it.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.requests: list[Request] = []
        self.faults: list[Fault | tuple[str, Fault]] = []
        self.denied: set[str] = set()
        self.external_id: str | None = None
        self.roles = {ROLE}
        self.sessions: list[Session] = []
        self.session_seconds = 3600.0
        self.web_token = "web-token"
        self.before: Callable[[Request], None] = lambda _: None
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def env(self) -> dict[str, str]:
        """Variables that lead boto3 here."""
        return {
            "AWS_ENDPOINT_URL_COST_EXPLORER": self.url,
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
            "NO_PROXY": "127.0.0.1",
        }

    def environ(self) -> dict[str, str]:
        """The whole environment of a process, without what this one has of AWS."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return own | self.env()

    def fail(self, times: int, fault: Fault, operation: str | None = None) -> None:
        """Let so many requests fail, of one operation or of any."""
        self.faults += [fault if operation is None else (operation, fault)] * times

    def count(self, operation: str | None = None) -> int:
        """How many requests there were, of one operation or of any."""
        return sum(operation in (None, request.operation) for request in list(self.requests))

    def close(self) -> None:
        """End it, and check."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise, once, what AWS could not be as the test has asked for it."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, handler: _Handler, raw: bytes) -> None:
        target = handler.headers.get("X-Amz-Target", "")
        if target:
            operation, body = target.removeprefix(_TARGET), json.loads(raw)
        else:
            body = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
            operation = body.pop("Action", "")
        request = Request(operation, body, dict(handler.headers.items()))
        with self._lock:
            self.requests.append(request)
            self.before(request)
            fault = self._next_fault(operation)
        if callable(fault):
            fault(handler)
            return
        try:
            with self._lock:
                principal = self._principal(operation, handler.headers, sts=not target)
                action = f"{'ce' if target else 'sts'}:{operation}"
                failure = denied(action, principal) if action in self.denied else fault
                answer = self._answer(operation, body, principal, failure)
        except Failure as failure:
            _refuse(handler, failure, json_wanted=bool(target))
        except Exception as error:  # noqa: BLE001 - reported when the test ends
            self._error = error
            server_error(handler)
        else:
            kind = "application/x-amz-json-1.1" if target else "text/xml"
            handler.answer(200, answer, kind)

    def _answer(self, operation: str, body: Any, principal: str, failure: Failure | None) -> bytes:
        if failure is not None:
            raise failure
        if operation in ("AssumeRole", _WEB_IDENTITY, "GetCallerIdentity"):
            return self._sts(operation, body, principal).encode()
        return json.dumps(self.answer(operation, body)).encode()

    def _next_fault(self, operation: str) -> Fault:
        for place, planned in enumerate(self.faults):
            if not isinstance(planned, tuple):
                del self.faults[place]
                return planned
            if planned[0] == operation:
                del self.faults[place]
                return planned[1]
        return None

    def _principal(self, operation: str, headers: Any, *, sts: bool) -> str:
        """Who asks."""
        if operation == _WEB_IDENTITY:
            return ""
        found = re.search(r"Credential=([^/]+)/", headers.get("Authorization", ""))
        key, token = found[1] if found else "", headers.get("X-Amz-Security-Token")
        if key == ACCESS_KEY:
            return USER
        for session in self.sessions:
            if session.key == key and session.token == token:
                if session.expired:
                    raise Failure("ExpiredToken", EXPIRED.message, 403) if sts else EXPIRED
                role = session.role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
                return f"{role}/{session.name}"
        if sts:
            raise Failure("InvalidClientTokenId", UNRECOGNIZED.message, 403)
        raise UNRECOGNIZED

    def _sts(self, operation: str, body: dict[str, str], principal: str) -> str:
        if operation == "GetCallerIdentity":
            fields = {"Arn": principal, "UserId": "AIDAFAKE", "Account": ACCOUNT}
            return _xml(operation, _elements(fields))
        role = body["RoleArn"]
        if operation == _WEB_IDENTITY and body["WebIdentityToken"] != self.web_token:
            message = "No OpenIDConnect provider found in your account for https://oidc.example.org"
            raise Failure("InvalidIdentityToken", message)
        if role not in self.roles or body.get("ExternalId") != (
            self.external_id if self.external_id is not None else body.get("ExternalId")
        ):
            message = f"User: {principal} is not authorized to perform: sts:AssumeRole on resource:"
            raise Failure("AccessDenied", f"{message} {role}", 403)
        n = len(self.sessions)
        session = Session(role, body["RoleSessionName"], f"ASIAFAKE{n:012}", f"session-token-{n}")
        self.sessions.append(session)
        end = datetime.now(UTC) + timedelta(seconds=self.session_seconds)
        given = {
            "AccessKeyId": session.key,
            "SecretAccessKey": f"session-secret-{n}",
            "SessionToken": session.token,
            "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        }
        return _xml(operation, f"<Credentials>{_elements(given)}</Credentials>")


def _elements(fields: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())


def _xml(operation: str, inner: str) -> str:
    return (
        f'<{operation}Response xmlns="{_STS}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{operation}Response>"
    )


def _refuse(handler: _Handler, failure: Failure, *, json_wanted: bool) -> None:
    if json_wanted:
        body = {"__type": failure.code, "Message": failure.message}
        handler.answer(failure.status, json.dumps(body).encode())
        return
    fields = {"Type": "Sender", "Code": failure.code, "Message": failure.message}
    text = f'<ErrorResponse xmlns="{_STS}"><Error>{_elements(fields)}</Error>'
    text += "<RequestId>0</RequestId></ErrorResponse>"
    handler.answer(failure.status, text.encode(), "text/xml")
