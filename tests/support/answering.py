"""A server that says the same to everyone."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager


@contextmanager
def answering(answer: bytes | None):
    """A server that says the same to everyone, or nothing at all; counts who asks."""
    asked: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                asked.append(client)
                if answer is not None:
                    client.recv(4096)
                    client.sendall(answer)
                    client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for client in asked:
                client.close()


def json_answer(body: str) -> bytes:
    """An answer with JSON, or what is said to be JSON."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
