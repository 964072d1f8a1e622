"""The part of the API of Kubernetes that the injector uses, from within a pod."""

from __future__ import annotations

import base64
import json
import os
import ssl
from pathlib import Path
from typing import Any, Self

import aiohttp

from mlguard_common.errors import MLGuardError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_MERGE = {"Content-Type": "application/merge-patch+json"}

Json = dict[str, Any]


class ApiError(MLGuardError):
    """A request that the API refused.

    Attributes:
        status: its status; 0 without an answer.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class KubernetesApi:
    """Client of the API; use as an asynchronous context manager.

    Args:
        url: address of the API; that of the cluster around by default.
        account: folder of the service account.
    """

    def __init__(self, url: str | None = None, account: Path = _ACCOUNT) -> None:
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        host = f"[{host}]" if ":" in host else host
        self._url = url or f"https://{host}:{port}"
        self._account = account

    async def __aenter__(self) -> Self:
        authority = self._account / "ca.crt"
        context = None
        if self._url.startswith("https:"):
            context = ssl.create_default_context(cafile=authority if authority.exists() else None)
        connector = aiohttp.TCPConnector(ssl=context) if context else aiohttp.TCPConnector()
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def minor_version(self) -> int:
        """Return the minor version of the API server.

        Raises:
            ApiError: it does not answer.
        """
        found = await self._request("GET", "/version")
        digits = "".join(c for c in str(found.get("minor", "")) if c.isdigit())
        if not digits:
            raise ApiError("the API server tells no version")
        return int(digits)

    async def secret(self, namespace: str, name: str) -> Json | None:
        """Return a Secret; None if there is none.

        Raises:
            ApiError: it cannot be read.
        """
        try:
            return await self._request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def write_secret(
        self, namespace: str, name: str, data: dict[str, bytes], was: Json | None
    ) -> None:
        """Write the data of a Secret, unless it has changed meanwhile.

        Args:
            namespace: its namespace.
            name: its name.
            data: key -> content.
            was: the Secret as it was read; None if there was none.

        Raises:
            ApiError: it cannot be written; of status 409 if it has changed.
        """
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        path = f"/api/v1/namespaces/{namespace}/secrets"
        if was is None:
            body = {"metadata": {"name": name}, "type": "kubernetes.io/tls", "data": encoded}
            await self._request("POST", path, body | {"apiVersion": "v1", "kind": "Secret"})
            return
        version = was["metadata"].get("resourceVersion")
        body = {"metadata": {"resourceVersion": version}, "data": encoded}
        await self._request("PATCH", f"{path}/{name}", body, _MERGE)

    async def set_bundle(self, webhook: str, bundle: bytes) -> bool:
        """Set the bundle of all webhooks of a configuration; return whether it differed.

        Raises:
            ApiError: it cannot be read or written.
        """
        path = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{webhook}"
        found = await self._request("GET", path)
        wanted = base64.b64encode(bundle).decode()
        webhooks = found.get("webhooks") or []
        if all(each.get("clientConfig", {}).get("caBundle") == wanted for each in webhooks):
            return False
        operations = [
            {"op": "add", "path": f"/webhooks/{i}/clientConfig/caBundle", "value": wanted}
            for i in range(len(webhooks))
        ]
        headers = {"Content-Type": "application/json-patch+json"}
        await self._request("PATCH", path, operations, headers)
        return True

    async def _request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Json:
        token = self._account / "token"  # read each time, as the kubelet renews it
        extra = dict(headers or {})
        if token.exists():
            extra["Authorization"] = f"Bearer {token.read_text().strip()}"
        content = {"json": body} if headers is None else {"data": json.dumps(body).encode()}
        try:
            async with self._session.request(
                method, self._url + path, headers=extra, **(content if body is not None else {})
            ) as response:
                if response.status >= 400:
                    text = (await response.text())[:200]
                    raise ApiError(f"{method} {path}: {response.status} {text}", response.status)
                found: Json = await response.json(content_type=None)
                return found
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(f"{method} {path}: {error or type(error).__name__}") from error
