"""Operations of an HTTP API: routes, and their description as OpenAPI 3.1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aiohttp.typedefs import Handler

OPENAPI_PATH = "/api/v1/openapi.json"
JSON = "application/json"
_REFERENCE = "#/components/schemas/{name}"
_EVERYWHERE = (401, 403)
_WITH_BODY = (413, 415)


class Error(msgspec.Struct, frozen=True):
    """Error: what was wrong, and what to do."""

    error: str


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    Attributes:
        method: HTTP method in capitals.
        path: path with the names of its parameters in braces.
        handler: its handler.
        summary: what it does, in one sentence.
        answer: type of its answer; None for an empty one.
        body: type of the body of its request; None for none.
        body_types: content types of that body.
        answer_type: content type of the answer.
        query: name of a parameter of the query -> its type.
        headers: name of a header of the request -> its type.
        errors: statuses that answer with an Error, besides those that every operation has.
        others: status -> type of a further answer.
        always_answers: whether it answers 200 to any request, and has no errors at all.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answer: Any = None
    body: Any = None
    body_types: tuple[str, ...] = (JSON,)
    answer_type: str = JSON
    query: Mapping[str, Any] | None = None
    headers: Mapping[str, Any] | None = None
    errors: tuple[int, ...] = ()
    others: Mapping[int, Any] | None = None
    always_answers: bool = False

    def route(self) -> web.RouteDef:
        """Return the route."""
        return web.route(self.method, route_pattern(self.path), self.handler)

    def types(self) -> list[Any]:
        """Return all types that it refers to."""
        found = [self.answer, self.body, *(self.query or {}).values()]
        found += [*(self.headers or {}).values(), *(self.others or {}).values()]
        return [each for each in found if each is not None]


def route_pattern(path: str) -> str:
    """Return the pattern of a path whose parameters, in braces, take any text, even braces."""
    return re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", path)


def describe(title: str, version: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of operations.

    Args:
        title: name of the API.
        version: its version.
        operations: its operations.
    """
    listed = list(operations)
    types = [Error, *(each for operation in listed for each in operation.types())]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    # by identity, as types such as Annotated[int, ..] need not be hashable
    of_type = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        described = _operation(operation, lambda each: of_type[id(each)])
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    key = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"key": key}},
        "security": [{}, {"key": []}],
    }


def _operation(operation: Operation, schema: Callable[[Any], Any]) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        }
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    for where, named in (("query", operation.query), ("header", operation.headers)):
        parameters += [
            {"name": name, "in": where, "schema": schema(each)}
            for name, each in (named or {}).items()
        ]
    done: dict[str, Any] = {"description": "Done"}
    if operation.answer is not None:
        done["content"] = {operation.answer_type: {"schema": schema(operation.answer)}}
    responses: dict[str, Any] = {"200": done}
    for status, each in (operation.others or {}).items():
        found = {JSON: {"schema": schema(each)}}
        responses[str(status)] = {"description": "See the schema", "content": found}
    errors = (*_EVERYWHERE, *operation.errors, *(_WITH_BODY if operation.body is not None else ()))
    for status in () if operation.always_answers else sorted(set(errors)):
        if str(status) not in responses:
            found = {JSON: {"schema": schema(Error)}}
            responses[str(status)] = {"description": "Refused", "content": found}
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": _name(operation),
        "parameters": parameters,
        "responses": dict(sorted(responses.items())),
    }
    if operation.body is not None:
        found = {each: {"schema": schema(operation.body)} for each in operation.body_types}
        described["requestBody"] = {"required": True, "content": found}
    return described


def _name(operation: Operation) -> str:
    words = re.findall(r"\w+", operation.path.removeprefix("/api/v1"))
    return "_".join([operation.method.lower(), *words])


def api_routes(title: str, version: str, operations: Iterable[Operation]) -> list[web.RouteDef]:
    """Return the routes of operations, and that of their description."""
    listed = list(operations)

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=document, content_type=JSON)

    listed.append(
        Operation("GET", OPENAPI_PATH, openapi, "Return this document.", answer=dict[str, Any])
    )
    document = msgspec.json.encode(describe(title, version, listed))
    return [operation.route() for operation in listed]
