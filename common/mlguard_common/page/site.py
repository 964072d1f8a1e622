"""Pages over HTTP: who sees them, how one logs in, and the headers that browsers obey."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from aiohttp import web

from mlguard_common.web.operations import route_pattern

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler

    from mlguard_common.page.renderer import Renderer
    from mlguard_common.web import Access, HttpConfig

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
        " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOGIN, _LOGOUT, _FILES = "/login", "/logout", "/static/{version}/{name}"
_MAX_FORM_BYTES = 4096

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """Page to be rendered.

    Attributes:
        template: name of the template.
        title: its title.
        json: addresses of the same figures in JSON.
        variables: variables of the template.
        status: status of the response.
    """

    template: str
    title: str
    json: tuple[str, ...] = ()
    variables: dict[str, Any] = field(default_factory=dict)
    status: int = 200


def not_found(message: str) -> Page:
    """Return the page of an address that shows nothing."""
    return _problem("Not found", message, 404)


def _problem(title: str, message: str, status: int) -> Page:
    return Page("problem.html", title, variables={"message": message}, status=status)


class Site:
    """Pages of a daemon.

    Args:
        renderer: renders the templates.
        access: returns the rules of access.
        config: returns whether there are pages, and who sees them.
        instead: text of `GET /` where there are none.
        clock: epoch seconds.
    """

    def __init__(
        self,
        renderer: Renderer,
        access: Callable[[], Access],
        config: Callable[[], HttpConfig],
        instead: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._renderer = renderer
        self._access = access
        self._config = config
        self._instead = instead
        self._clock = clock
        self._paths = {_LOGIN, _LOGOUT, _FILES}

    @property
    def paths(self) -> frozenset[str]:
        """Paths that check their requests themselves."""
        return frozenset(self._paths)

    def routes(
        self, pages: Mapping[str, Callable[[web.Request], Awaitable[Page]]]
    ) -> list[web.RouteDef]:
        """Return the routes of pages, of the login, and of the files that pages refer to.

        Args:
            pages: path -> handler.
        """
        self._paths |= pages.keys()
        shown = {route_pattern(path): self._showing(handler) for path, handler in pages.items()}
        return [
            *(web.get(path, self._unless_off(handler)) for path, handler in shown.items()),
            web.get(_LOGIN, self._unless_off(self._ask)),
            web.post(_LOGIN, self._unless_off(self._log_in)),
            web.post(_LOGOUT, self._unless_off(self._log_out)),
            web.get(_FILES, self._unless_off(self._file)),
        ]

    def _unless_off(self, handler: Handler) -> Handler:
        async def check(request: web.Request) -> web.StreamResponse:
            if self._config().page:
                return await handler(request)
            self._access().check(request)
            if request.path == "/":
                return web.Response(text=self._instead)
            raise web.HTTPNotFound(text="pages are off (http.page)\n")

        return check

    def _showing(self, handler: Callable[[web.Request], Awaitable[Page]]) -> Handler:
        async def show(request: web.Request) -> web.Response:
            try:
                if not self._config().page_public:
                    self._access().check(request)
            except web.HTTPUnauthorized:
                return await self._login_page(request, str(request.rel_url), status=401)
            except web.HTTPForbidden as error:
                text = (error.text or error.reason).strip()
                return await self._response(
                    request, _problem(error.reason, f"{text[:1].upper()}{text[1:]}.", error.status)
                )
            try:
                return await self._response(request, await handler(request))
            except Exception:
                log.exception("the page %s cannot be shown", request.path)
            message = "This page cannot be shown. The log says why."
            return await self._response(request, _problem("Internal error", message, 500))

        return show

    async def _response(self, request: web.Request, page: Page) -> web.Response:
        variables = page.variables | {
            "title": page.title,
            "json_paths": page.json,
            "now": self._clock(),
            "can_log_out": self._access().has_cookie(request),
        }
        text = await self._renderer.render(page.template, variables)
        response = web.Response(
            text=text, content_type="text/html", status=page.status, headers=_HEADERS
        )
        response.enable_compression()
        return response

    async def _login_page(
        self, request: web.Request, after: str, *, status: int = 200, problem: str = ""
    ) -> web.Response:
        variables = {"after": after, "problem": problem}
        return await self._response(
            request, Page("login.html", "Log in", variables=variables, status=status)
        )

    async def _ask(self, request: web.Request) -> web.Response:
        return await self._login_page(request, _local(request.query.get("next", "/")))

    async def _log_in(self, request: web.Request) -> web.Response:
        access = self._access()
        access.check_origin(request)
        form = await _form(request)
        after = _local(form.get("next", "/"))
        try:
            name, value = access.cookie_of(form.get("key", ""))
        except web.HTTPException as error:
            return await self._login_page(
                request, after, status=error.status, problem=(error.text or "").strip()
            )
        response = web.Response(status=303, headers={"Location": after})
        response.set_cookie(
            name, value, httponly=True, samesite="Strict", secure=request.secure, path="/"
        )
        return response

    async def _log_out(self, request: web.Request) -> web.Response:
        access = self._access()
        access.check_origin(request)
        response = web.Response(status=303, headers={"Location": _LOGIN})
        for name in access.cookies(request):
            response.del_cookie(name, path="/")
        return response

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = self._renderer.files.get(name)
        if body is None or request.match_info["version"] != self._renderer.files_version:
            raise web.HTTPNotFound(text="no such file\n")
        headers = _HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
        response = web.Response(
            body=body, content_type=self._renderer.content_type(name), headers=headers
        )
        response.enable_compression()
        return response


async def _form(request: web.Request) -> dict[str, str]:
    if (
        request.content_type != "application/x-www-form-urlencoded"
        or not 0 < (request.content_length or 0) <= _MAX_FORM_BYTES
    ):
        raise web.HTTPBadRequest(text="expected a form with a key\n")
    body = await request.read()
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _local(path: str) -> str:
    """Return a path of this server; `/` for what may lead elsewhere.

    What browsers would skip or read as a slash is escaped, and cannot lead there either.
    """
    if not path.startswith("/") or path.startswith(("//", "/\\")):
        return "/"
    return quote(path, safe="/?&=%~+:@!$'()*,;")
