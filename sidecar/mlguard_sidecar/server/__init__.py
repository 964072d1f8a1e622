"""Where events come in and figures go out: the event socket and HTTP."""

from mlguard_sidecar.server.connection import Connection
from mlguard_sidecar.server.http import HttpServer
from mlguard_sidecar.server.hub import Hub
from mlguard_sidecar.server.listen import BindError, bind_socket, serve_socket

__all__ = ["BindError", "Connection", "HttpServer", "Hub", "bind_socket", "serve_socket"]
