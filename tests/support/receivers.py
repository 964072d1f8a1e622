"""Receivers of messages on loopback: HTTP, a Slack-shaped one among them, and SMTP."""

from __future__ import annotations

import email
import email.policy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from support.sidecar import free_port

SLACK_SITE = Path(__file__).with_name("slack_on_loopback")


class Hook:
    """Takes what is posted to it.

    Attributes:
        got: path and body of every post that was answered with 200.
        refused: how many were not.
        under_way: how many have come in.
        status: of its answers.
        hang: whether it answers nothing at all.
    """

    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        self.refused = 0
        self.under_way = 0
        self.status = 200
        self._go_on = threading.Event()
        self._go_on.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.under_way += 1
                hook._go_on.wait()
                if hook.status == 200:
                    hook.got.append((self.path, body))
                else:
                    hook.refused += 1
                self.send_response(hook.status)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        """As Apprise's json plugin takes it."""
        return f"json://127.0.0.1:{self.port}/hook"

    @property
    def titles(self) -> list[str]:
        return [body["title"] for _, body in self.got]

    def hang(self) -> None:
        self._go_on.clear()

    def go_on(self) -> None:
        self._go_on.set()

    def close(self) -> None:
        self._go_on.set()
        self._server.shutdown()
        self._server.server_close()


class Mailbox:
    """An SMTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[email.message.EmailMessage] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self._controller.start()

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802
        self.got.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 taken"

    @property
    def port(self) -> int:
        return self._controller.port

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}/?from=mlguard@example.org&to=team@example.org"

    def close(self) -> None:
        self._controller.stop()
