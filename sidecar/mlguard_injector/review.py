"""AdmissionReview v1: from a request's body to the body of its response."""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from mlguard_injector.inject import Injection, inject

if TYPE_CHECKING:
    from mlguard_injector.config import SidecarConfig

_VERSION = "admission.k8s.io/v1"
_MAX_WARNING = 250

log = logging.getLogger(__name__)


class ReviewError(ValueError):
    """A body that is no AdmissionReview that can be answered; the text says why."""


class _Kind(msgspec.Struct):
    kind: str = ""


class _Request(msgspec.Struct):
    uid: str
    operation: str = "CREATE"
    kind: _Kind = msgspec.field(default_factory=_Kind)
    namespace: str = ""
    name: str = ""
    object: Any = None
    dryRun: bool | None = None  # noqa: N815 - Kubernetes' name


class _Review(msgspec.Struct):
    apiVersion: str  # noqa: N815 - Kubernetes' name
    kind: str
    request: _Request | None = None


@dataclass(frozen=True)
class Answer:
    """Answer to a review.

    Attributes:
        body: the response.
        outcome: outcome of the injection; `failed` if an error in the injector prevented it.
        reason: why the pod stays as it is.
    """

    body: bytes
    outcome: str
    reason: str


_decoder = msgspec.json.Decoder(_Review)


def answer(body: bytes, config: SidecarConfig, *, native: bool) -> Answer:
    """Return the answer to a review; every pod is admitted.

    Args:
        body: an AdmissionReview in JSON.
        config: what is put into pods.
        native: whether the cluster has native sidecars.

    Raises:
        ReviewError: it is no AdmissionReview of the version v1.
    """
    try:
        review = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReviewError(f"expected an AdmissionReview in JSON: {error}") from error
    if review.kind != "AdmissionReview" or review.apiVersion != _VERSION:
        found = f"{review.apiVersion} {review.kind}"[:100]
        raise ReviewError(f"found {found!r}, expected {_VERSION} AdmissionReview")
    request = review.request
    if request is None or not request.uid:
        raise ReviewError("found no request with a uid")
    injection = _injection(request, config, native=native)
    if injection.outcome == "refused":
        name = f"{request.namespace}/{request.name or 'a new pod'}"
        log.warning("%s: %s", name, injection.warnings[0])
    response: dict[str, Any] = {"uid": request.uid, "allowed": True}
    if injection.warnings:
        response["warnings"] = [text[:_MAX_WARNING] for text in injection.warnings[:10]]
    if injection.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(injection.patch)).decode()
    reply = {"apiVersion": _VERSION, "kind": "AdmissionReview", "response": response}
    return Answer(msgspec.json.encode(reply), injection.outcome, injection.reason)


def _injection(request: _Request, config: SidecarConfig, *, native: bool) -> Injection:
    if request.kind.kind != "Pod" or not isinstance(request.object, dict):
        return Injection([], "unchanged", "no_pod")
    if request.operation != "CREATE":  # the containers of a pod cannot change any more
        return Injection([], "unchanged", "no_creation")
    try:
        return inject(request.object, request.namespace, config, native=native)
    except Exception:  # a fault of ours must never stop a pod
        log.exception("%s/%s is admitted without a sidecar", request.namespace, request.name)
        text = "no ML Guard sidecar: an error in the injector, which is in its log"
        return Injection([], "failed", "internal", (text,))
