"""HTTP: the server, and the paths that every daemon answers."""

from mlguard_common.web.moment import moment
from mlguard_common.web.origin import is_from_here
from mlguard_common.web.routes import Host, routes
from mlguard_common.web.server import BindError, HttpServer, split_listen

__all__ = ["BindError", "Host", "HttpServer", "is_from_here", "moment", "routes", "split_listen"]
