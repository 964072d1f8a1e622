"""Rules of access over HTTP."""

from __future__ import annotations

import hmac
import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler, Middleware

EXEMPT_PATHS = frozenset({"/metrics", "/healthz", "/readyz"})
"""Paths without access control, as probes and scrapers send no key."""

_HOST = re.compile(r"(?P<name>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_LOOPBACK_ADDRESSES = frozenset({"127.0.0.1", "::1"})
_COOKIE_PREFIX = "mlguard_key_"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


PROJECTS = "projects"
"""Key of a request under which the projects of a limited key are."""


@dataclass(frozen=True)
class ApiKey:
    """Accepted value of the header `X-API-Key`.

    Attributes:
        value: the key.
        projects: projects whose events it may send, and nothing else; None if it may do everything.
    """

    value: str
    projects: frozenset[str] | None = None


@dataclass(frozen=True)
class Access:
    """Rules of access, the same for all paths.

    - A request over a Unix socket needs no key: the mode of the file decides who can connect.
    - A request from 127.0.0.1 or ::1 needs no key if its `Host` is localhost, 127.0.0.1, [::1] or
      an allowed name. The `Host` is checked because a foreign web page can let its own name
      resolve to 127.0.0.1 (DNS rebinding).
    - Any other request needs a key, in a header or as the cookie that the page's login sets; with
      it, any `Host` is accepted.
    - A request from a page of another origin (`Origin`) can never change anything.
    - A key of some projects may only send events, and only theirs.

    Attributes:
        api_keys: accepted keys; none by default.
        allowed_hosts: further host names that need no key over loopback, in lower case.
    """

    api_keys: tuple[ApiKey, ...] = ()
    allowed_hosts: frozenset[str] = frozenset()

    def check(self, request: web.Request, *, takes_events: bool = False) -> None:
        """Check that a request is allowed; note the projects of a limited key in it.

        Args:
            request: the request.
            takes_events: whether its path takes events, which a limited key may send.

        Raises:
            HTTPUnauthorized: the request needs a key, and has none or a wrong one.
            HTTPForbidden: the request needs a key and none is configured, or its origin is foreign.
        """
        self.check_origin(request)
        if is_loopback(request) and _names_loopback(request, self.allowed_hosts):
            return
        if not self.api_keys:
            raise web.HTTPForbidden(
                text="only loopback (http://127.0.0.1, http://localhost) is answered without a"
                " key; set http.api_keys or MLGUARD_API_KEY, or http.allowed_hosts\n"
            )
        found = self._keys_of(request.headers.get("X-API-Key", "")) or self._keys_of_cookies(
            request
        )
        if not found:
            raise web.HTTPUnauthorized(
                text="a valid key is needed in the header X-API-Key\n",
                headers={"WWW-Authenticate": "X-API-Key"},
            )
        if all(key.projects is not None for key in found):
            if not takes_events:
                raise web.HTTPForbidden(text="this key of some projects may only send events\n")
            request[PROJECTS] = frozenset().union(*(key.projects or () for key in found))

    def _keys_of(self, text: str) -> list[ApiKey]:
        """Return the keys that a text is."""
        given = _bytes(text)
        # all keys are compared, so that the duration reveals nothing
        return [key for key in self.api_keys if hmac.compare_digest(given, key.value.encode())]

    def _keys_of_cookies(self, request: web.Request) -> list[ApiKey]:
        """Return the keys for which a browser has a cookie, none of them limited."""
        found = self.cookies(request)
        return [
            key
            for key, (name, value) in ((k, _cookie(k)) for k in self.api_keys if found)
            if hmac.compare_digest(_bytes(found.get(name, "")), value.encode())
        ]

    def has_cookie(self, request: web.Request) -> bool:
        """Return whether a browser sends the cookie of a key."""
        return bool(self._keys_of_cookies(request))

    @staticmethod
    def cookies(request: web.Request) -> dict[str, str]:
        """Return the cookies of keys that a browser sends, valid or not."""
        return {n: v for n, v in request.cookies.items() if n.startswith(_COOKIE_PREFIX)}

    def cookie_of(self, text: str) -> tuple[str, str]:
        """Return name and value of the cookie that stands for a key.

        It is derived from the key, so that it outlives a restart, ends with the key, and does not
        reveal it.

        Raises:
            HTTPUnauthorized: the text is no key.
            HTTPForbidden: it is a key that may only send events.
        """
        found = self._keys_of(text.strip())
        if not found:
            raise web.HTTPUnauthorized(text="this key is not valid\n")
        whole = [key for key in found if key.projects is None]
        if not whole:
            raise web.HTTPForbidden(text="this key of some projects may only send events\n")
        return _cookie(whole[0])

    @staticmethod
    def check_origin(request: web.Request) -> None:
        """Check that a request which may change something does not come from a foreign page.

        Raises:
            HTTPForbidden: the method is not safe, and the origin is foreign.
        """
        if request.method in _SAFE_METHODS:
            return
        origin = request.headers.get("Origin")
        if origin is None:
            # some browsers send no Origin with a form, but all say so if it is of another site
            if request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
                return
            raise web.HTTPForbidden(text="a page of another origin may change nothing here\n")
        if origin.lower().partition("://")[2] != request.headers.get("Host", "").lower():
            raise web.HTTPForbidden(text="a page of another origin may change nothing here\n")


def _bytes(text: str) -> bytes:
    """Return the text of a header as it was sent, in whatever encoding."""
    return text.encode("utf-8", "surrogateescape")


def _cookie(key: ApiKey) -> tuple[str, str]:
    def derived(purpose: bytes) -> str:
        return hmac.new(key.value.encode(), purpose, "sha256").hexdigest()

    return f"{_COOKIE_PREFIX}{derived(b'name')[:8]}", derived(b"value")


def is_loopback(request: web.Request) -> bool:
    """Return whether a request came over a Unix socket, or from 127.0.0.1 or ::1.

    Other loopback addresses do not count: the proxy of a service mesh connects from 127.0.0.6.
    Headers such as X-Forwarded-For are ignored, as any client can send them.
    """
    if _is_unix(request):
        return True
    remote = request.remote
    if not remote:  # the connection has ended, and nobody knows whose it was
        return False
    return _is_loopback_address(remote)


@lru_cache(maxsize=256)
def _is_loopback_address(remote: str) -> bool:
    address = ipaddress.ip_address(remote.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address) in _LOOPBACK_ADDRESSES


def _is_unix(request: web.Request) -> bool:
    transport = request.transport
    peer = transport.get_extra_info("socket") if transport is not None else None
    return peer is not None and peer.family == socket.AF_UNIX


def _names_loopback(request: web.Request, allowed: frozenset[str]) -> bool:
    if _is_unix(request):
        return True
    found = _HOST.fullmatch(request.headers.get("Host", "").lower())
    if found is None:
        return False
    name = found["name"].removesuffix(".")
    return name in _LOOPBACK_HOSTS or name in allowed


def access_middleware(
    access: Callable[[], Access], *, exempt: frozenset[str], taking_events: frozenset[str]
) -> Middleware:
    """Return a middleware that checks every request except those to exempt paths.

    Args:
        access: returns the rules of access.
        exempt: paths that are not checked, with the names of their parameters in braces.
        taking_events: paths that take events.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        path = request.path if resource is None else resource.canonical
        if path not in exempt:
            access().check(request, takes_events=request.path in taking_events)
        return await handler(request)

    return check
