"""HTTP: the server, the rules of access, and the routes that every daemon has."""

from mlguard_common.web.access import PROJECTS, Access, ApiKey
from mlguard_common.web.config import HttpConfig
from mlguard_common.web.operations import Error, Operation, api_routes, route_pattern
from mlguard_common.web.rfc3339 import rfc3339
from mlguard_common.web.routes import Host, routes
from mlguard_common.web.server import BindError, HttpServer, split_listen

__all__ = [
    "PROJECTS",
    "Access",
    "ApiKey",
    "BindError",
    "Error",
    "Host",
    "HttpConfig",
    "HttpServer",
    "Operation",
    "api_routes",
    "rfc3339",
    "route_pattern",
    "routes",
    "split_listen",
]
