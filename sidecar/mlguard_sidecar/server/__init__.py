"""Where events come in: the event socket."""

from mlguard_sidecar.server.connection import Connection
from mlguard_sidecar.server.hub import Hub
from mlguard_sidecar.server.listen import bind_socket, serve_socket

__all__ = ["Connection", "Hub", "bind_socket", "serve_socket"]
