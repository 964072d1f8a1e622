"""What can go wrong between boto3 and AWS."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from typing import BinaryIO, Protocol

from support.aws_cost_explorer import Failure

ACCOUNT = "111111111111"
USER = f"arn:aws:iam::{ACCOUNT}:user/ml"

LIMIT_EXCEEDED = Failure("LimitExceededException", "Limit exceeded")
THROTTLED = Failure("ThrottlingException", "Rate exceeded")
DATA_UNAVAILABLE = Failure("DataUnavailableException", "Data is not available. Try again later.")
EXPIRED = Failure("ExpiredTokenException", "The security token included in the request is expired")
UNRECOGNIZED = Failure(
    "UnrecognizedClientException", "The security token included in the request is invalid."
)
INVALID_TOKEN = Failure("InvalidNextTokenException", "The pagination token is invalid")


def denied(action: str, principal: str = USER) -> Failure:
    """What AWS answers where no policy allows an action such as ce:GetCostAndUsage."""
    of = action.partition(":")
    return Failure(
        "AccessDenied" if of[0] == "sts" else "AccessDeniedException",
        f"User: {principal} is not authorized to perform: {action} on resource:"
        f" arn:aws:{of[0]}:us-east-1:{ACCOUNT}:/{of[2]} because no identity-based policy allows"
        f" the {action} action",
        403 if of[0] == "sts" else 400,
    )


class Handler(Protocol):
    """One request, to be answered."""

    connection: socket.socket
    wfile: BinaryIO

    def answer(self, status: int, body: bytes, kind: str = ...) -> None: ...
    def send_response(self, code: int) -> None: ...
    def send_header(self, keyword: str, value: str) -> None: ...
    def end_headers(self) -> None: ...


Fault = Failure | Callable[[Handler], None] | None


def server_error(handler: Handler) -> None:
    """500 with a body that is no JSON."""
    handler.answer(500, b"<html>Internal Server Error</html>", "text/html")


def no_answer(handler: Handler) -> None:
    """The connection is closed without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_body(handler: Handler) -> None:
    """The connection ends in the middle of the body."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    handler.wfile.write(b'{"ResultsByTime": [')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_json(handler: Handler) -> None:
    """200 with JSON that ends too early, of the length that is promised."""
    handler.answer(200, b'{"ResultsByTime": [{"TimePeriod"')


def empty_object(handler: Handler) -> None:
    """200 with an object that holds nothing."""
    handler.answer(200, b"{}")


class Slow:
    """No answer before `go_on` is set; none at all where the client goes away before.

    Attributes:
        begun: set once the request is there.
        go_on: to be set by the test.
        left: set once the client has gone away.
    """

    def __init__(self) -> None:
        self.begun, self.go_on, self.left = (threading.Event() for _ in range(3))

    def __call__(self, handler: Handler) -> None:
        self.begun.set()
        while not self.go_on.wait(0.02):
            readable, _, _ = select.select([handler.connection], [], [], 0)
            if readable and not _peek(handler.connection):
                self.left.set()
                return
        empty_object(handler)


def _peek(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""
