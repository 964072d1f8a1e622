"""A small API server of Kubernetes on loopback, for Helm and for the injector.

It keeps objects of the kinds below, without admission, schemas and controllers. Lists of objects
with names are merged by name, as the API does with those that the chart patches.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import threading
import uuid
from dataclasses import dataclass
from typing import Any, Self

import jsonpatch
import yaml
from aiohttp import web

Json = dict[str, Any]

KINDS = {
    "v1": {
        "secrets": "Secret", "configmaps": "ConfigMap", "services": "Service",
        "serviceaccounts": "ServiceAccount", "persistentvolumeclaims": "PersistentVolumeClaim",
        "pods": "Pod",
    },
    "apps/v1": {"deployments": "Deployment"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "rbac.authorization.k8s.io/v1": {
        "roles": "Role", "rolebindings": "RoleBinding", "clusterroles": "ClusterRole",
        "clusterrolebindings": "ClusterRoleBinding",
    },
    "admissionregistration.k8s.io/v1": {
        "mutatingwebhookconfigurations": "MutatingWebhookConfiguration"
    },
}  # fmt: skip
CLUSTER_WIDE = {"clusterroles", "clusterrolebindings", "mutatingwebhookconfigurations"}


@dataclass(frozen=True)
class Request:
    """One request that changes something."""

    method: str
    path: str
    body: Json
    agent: str


class FakeKubernetes:
    """The server, in a thread of its own; use as a context manager.

    Attributes:
        objects: path -> object.
        writes: requests that asked for a change, in order.
        failure: status that is answered to everything; None for none.
        minor: minor version.
    """

    def __init__(self, minor: int = 31) -> None:
        self.objects: dict[str, Json] = {}
        self.writes: list[Request] = []
        self.failure: int | None = None
        self.minor = minor
        self._version = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _listen(self) -> str:
        app = web.Application(client_max_size=32 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    def kubeconfig(self) -> str:
        """A configuration for clients."""
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
                "users": [{"name": "fake", "user": {}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
                "current-context": "fake",
            }
        )

    def find(self, kind: str, name: str) -> Json:
        """An object by its kind and name."""
        (found,) = [
            each
            for each in self.objects.values()
            if (each["kind"], each["metadata"]["name"]) == (kind, name)
        ]
        return found

    def names(self) -> set[str]:
        """Kind/name of what there is, without the releases of Helm."""
        return {
            f"{each['kind']}/{each['metadata']['name']}"
            for each in self.objects.values()
            if each.get("type") != "helm.sh/release.v1"
        }

    def put(self, path: str, value: Json) -> None:
        """Store an object."""
        self._version += 1
        value.setdefault("metadata", {})["resourceVersion"] = str(self._version)
        value["metadata"].setdefault("uid", str(uuid.uuid4()))
        self.objects[path] = value

    async def _handle(self, request: web.Request) -> web.Response:
        if self.failure is not None:
            return _status(self.failure, "Failure")
        path = "/" + request.match_info["path"]
        found = self._discovery(path)
        if found is not None:
            return web.json_response(found)
        place = _place(path)
        if place is None:
            return _status(404, "NotFound")
        raw = await request.read()
        if request.method == "GET":
            return self._read(path, place, request.query.get("labelSelector", ""))
        body = {} if request.method == "DELETE" else _decoded(raw, request.content_type)
        self.writes.append(
            Request(request.method, path, body, request.headers.get("User-Agent", ""))
        )
        return self._write(request.method, path, place, body, request.content_type)

    def _discovery(self, path: str) -> Json | None:
        if path == "/version":
            return {"major": "1", "minor": str(self.minor), "gitVersion": f"v1.{self.minor}.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            groups = [each.split("/") for each in KINDS if "/" in each]
            versions = [{"groupVersion": f"{g}/{v}", "version": v} for g, v in groups]
            return {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [
                    {"name": group, "versions": [version], "preferredVersion": version}
                    for (group, _), version in zip(groups, versions, strict=True)
                ],
            }
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version not in KINDS:
            return None
        verbs = ["get", "list", "create", "update", "patch", "delete", "watch"]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": version,
            "resources": [
                {
                    "name": plural,
                    "singularName": kind.lower(),
                    "namespaced": plural not in CLUSTER_WIDE,
                    "kind": kind,
                    "verbs": verbs,
                }
                for plural, kind in KINDS[version].items()
            ],
        }

    def _read(self, path: str, place: _Place, selector: str) -> web.Response:
        if place.name:
            if path in self.objects:
                return web.json_response(self.objects[path])
            return _status(404, "NotFound")
        wanted = dict(part.split("=", 1) for part in selector.split(",") if "=" in part)
        items = [
            each
            for key, each in sorted(self.objects.items())
            if key.startswith(path + "/")
            and wanted.items() <= each["metadata"].get("labels", {}).items()
        ]
        return web.json_response(
            {
                "kind": f"{place.kind}List",
                "apiVersion": place.version,
                "metadata": {"resourceVersion": str(self._version)},
                "items": items,
            }
        )

    def _write(
        self, method: str, path: str, place: _Place, body: Any, content_type: str
    ) -> web.Response:
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return _status(409, "AlreadyExists")
            self.put(path, {"apiVersion": place.version, "kind": place.kind} | body)
            return web.json_response(self.objects[path], status=201)
        if content_type == "application/apply-patch+yaml" and path not in self.objects:
            self.put(path, body)
            return web.json_response(self.objects[path], status=201)
        if path not in self.objects:
            return _status(404, "NotFound")
        if method == "DELETE":
            del self.objects[path]
            return web.json_response({"kind": "Status", "status": "Success"})
        return self._change(method, path, body, content_type)

    def _change(self, method: str, path: str, body: Any, content_type: str) -> web.Response:
        old = self.objects[path]
        if content_type == "application/json-patch+json":
            new = jsonpatch.apply_patch(old, body)
        else:
            version = body.get("metadata", {}).get("resourceVersion")
            if version not in {None, "", old["metadata"]["resourceVersion"]}:
                return _status(409, "Conflict")
            new = body if method == "PUT" else _merged(old, body)
        self.put(path, new)
        return web.json_response(new)


@dataclass(frozen=True)
class _Place:
    version: str
    kind: str
    name: str


def _place(path: str) -> _Place | None:
    parts = path.strip("/").split("/")
    version = parts[1] if parts[0] == "api" else "/".join(parts[1:3])
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    kind = KINDS.get(version, {}).get(rest[0]) if rest else None
    return _Place(version, kind, "/".join(rest[1:])) if kind else None


def _status(code: int, reason: str) -> web.Response:
    body = {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": reason, "metadata": {},
    }  # fmt: skip
    return web.json_response(body, status=code)


def _merged(old: Any, patch: Any) -> Any:
    if isinstance(old, dict) and isinstance(patch, dict):
        new = copy.deepcopy(old)
        for key, value in patch.items():
            if key.startswith("$"):
                continue
            if value is None:
                new.pop(key, None)
            else:
                new[key] = _merged(new.get(key), value)
        return new
    if isinstance(old, list) and isinstance(patch, list) and all(map(_name, [*old, *patch])):
        known = {each["name"]: each for each in old}
        named = {each["name"] for each in patch}
        changed = [_merged(known.get(each["name"]), each) for each in patch]
        return changed + [each for name, each in known.items() if name not in named]
    return patch


def _name(each: Any) -> Any:
    return isinstance(each, dict) and each.get("name")


def _decoded(raw: bytes, content_type: str) -> Any:
    if content_type == "application/vnd.kubernetes.protobuf":
        return _secret(dict(_fields(raw.removeprefix(b"k8s\x00")))[2])
    if content_type == "application/apply-patch+yaml":
        return yaml.safe_load(raw)
    return json.loads(raw or b"{}")


def _fields(raw: bytes):
    """Number and content of the fields of a message in protobuf."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(raw):
        key = varint()
        number = varint()
        if key & 7 == 2:
            yield key >> 3, raw[at : at + number]
            at += number


def _secret(raw: bytes) -> Json:
    """A Secret in protobuf, which is how Helm posts its releases."""

    def pairs(entries: list[bytes]) -> dict[str, bytes]:
        found = [dict(_fields(entry)) for entry in entries]
        return {each[1].decode(): each.get(2, b"") for each in found}

    fields = list(_fields(raw))
    metadata = list(_fields(dict(fields)[1]))
    labels = pairs([value for number, value in metadata if number == 11])
    data = pairs([value for number, value in fields if number == 2])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": dict(metadata)[1].decode(),
            "labels": {key: value.decode() for key, value in labels.items()},
        },
        "type": dict(fields)[3].decode(),
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
