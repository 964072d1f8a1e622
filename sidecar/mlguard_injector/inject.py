"""The sidecar in a pod: a pure function from a pod to a patch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from mlguard_injector.annotations import (
    PREFIX,
    STATUS,
    AnnotationError,
    Wishes,
    read_annotations,
)
from mlguard_injector.patch import Patch
from mlguard_injector.pod import (
    Json,
    is_windows,
    model_name,
    parts_of,
    spec_of,
    texts_of,
)

if TYPE_CHECKING:
    from mlguard_injector.config import ResourcesConfig, SidecarConfig

CONTAINER = "mlguard-sidecar"
SOCKET_VOLUME, DATA_VOLUME = "mlguard-socket", "mlguard-data"
CONFIG_VOLUME, BASELINE_VOLUME = "mlguard-config", "mlguard-baseline"
RUN_DIR, DATA_DIR = "/run/mlguard", "/var/lib/mlguard"
CONFIG_DIR, BASELINE_DIR = "/etc/mlguard/config", "/etc/mlguard/baselines"
SOCKET_NAME = "mlguard.sock"
SOCKET = f"{RUN_DIR}/{SOCKET_NAME}"
PORT_NAME = "mlguard"
_USER = 65_532


@dataclass(frozen=True)
class Injection:
    """Result for one pod.

    Attributes:
        patch: operations of JSON Patch; empty if the pod stays as it is.
        outcome: `injected`, `unchanged`, or `refused`.
        reason: why it stays as it is.
        warnings: lines for the person who creates the pod.
    """

    patch: list[Json]
    outcome: str
    reason: str = ""
    warnings: tuple[str, ...] = field(default=())


def inject(pod: Json, namespace: str, config: SidecarConfig, *, native: bool) -> Injection:
    """Return what puts the sidecar into a pod. What is there already is not added again.

    Args:
        pod: the pod, as the API has it; not changed.
        namespace: its namespace, as a pod in a request may name none.
        config: what is put into it.
        native: whether the cluster has native sidecars.
    """
    try:
        wishes = read_annotations(texts_of(pod, "annotations"))
        reason = None if _has_sidecar(pod) else _refusal(pod, wishes, config)
    except AnnotationError as error:
        return _refused("annotation", str(error))
    if reason is not None:
        return _refused(*reason)
    native = native if wishes.native is None else wishes.native
    patch = Patch(pod)
    _add_volumes(patch, pod, wishes)
    _add_mounts(patch, pod, namespace, wishes)
    if not _has_sidecar(pod):
        container = sidecar_container(wishes, config, native=native)
        if native:
            patch.insert_first(("spec", "initContainers"), container)
        else:
            patch.append(("spec", "containers"), container)
        patch.set(("metadata", "annotations", STATUS), f"injected {container['image']}")
        if config.scrape_annotations:
            _add_scrape_annotations(patch, pod, wishes.port or config.port)
    known = {each.get("name") for each in parts_of(spec_of(pod), "imagePullSecrets")}
    for name in config.pull_secrets:
        if name not in known:
            patch.append(("spec", "imagePullSecrets"), {"name": name})
    if not patch.operations:
        return Injection([], "unchanged", "injected_before", wishes.unknown)
    return Injection(patch.operations, "injected", warnings=wishes.unknown)


def _refused(reason: str, text: str) -> Injection:
    return Injection([], "refused", reason, (f"no ML Guard sidecar: {text}",))


def _has_sidecar(pod: Json) -> bool:
    spec = spec_of(pod)
    both = [*parts_of(spec, "containers"), *parts_of(spec, "initContainers")]
    return any(each.get("name") == CONTAINER for each in both)


def _refusal(pod: Json, wishes: Wishes, config: SidecarConfig) -> tuple[str, str] | None:
    """Return a reason and a text if no sidecar fits into a pod."""
    spec = spec_of(pod)
    names = [str(each.get("name")) for each in parts_of(spec, "containers")]
    strangers = [name for name in wishes.containers or () if name not in names]
    known = ", ".join(names)[:100]
    port = f"set {PREFIX}port to a port of its own, as the pod has the network of its node"
    checks = (
        (not names, "no_containers", "the pod has no containers"),
        (is_windows(pod), "windows", "it needs Linux, and this pod runs on Windows"),
        (spec.get("hostNetwork") is True and wishes.port is None, "host_network", port),
        (
            (wishes.image or config.image) is None,
            "no_image",
            f"no image is configured; set image.repository of the chart, or {PREFIX}image",
        ),
        (
            bool(strangers),
            "annotation",
            f"{PREFIX}containers: found {strangers[:1]}, expected some of {known}",
        ),
    )
    found = next(((reason, text) for is_so, reason, text in checks if is_so), None)
    if found is None:
        _resources(wishes, config)
    return found or _conflict(spec, wishes, wishes.port or config.port)


def _resources(wishes: Wishes, config: SidecarConfig) -> ResourcesConfig:
    try:
        return msgspec.structs.replace(config.resources, **wishes.resources)
    except ValueError as error:
        raise AnnotationError(f"{PREFIX}{str(error).replace('_', '-')}") from error


def _conflict(spec: Json, wishes: Wishes, port: int) -> tuple[str, str] | None:
    """Return a reason and a text if a volume, a mount or a port is in the way."""
    maps = {CONFIG_VOLUME: wishes.config, BASELINE_VOLUME: wishes.baseline}
    for volume in parts_of(spec, "volumes"):
        wanted = maps.get(str(volume.get("name")))
        if wanted is not None and (volume.get("configMap") or {}).get("name") != wanted:
            return "volume", f"the volume {volume['name']} is another one; name it otherwise"
        if volume.get("name") in (SOCKET_VOLUME, DATA_VOLUME) and "emptyDir" not in volume:
            return "volume", f"the volume {volume['name']} is another one; name it otherwise"
    for container in parts_of(spec, "containers"):
        for mount in parts_of(container, "volumeMounts"):
            path = str(mount.get("mountPath", "")).rstrip("/")
            if path == RUN_DIR and mount.get("name") != SOCKET_VOLUME:
                text = f"{container.get('name')} mounts something else at {RUN_DIR}; move it"
                return "mount", text
        if any(
            each.get("containerPort") == port and each.get("protocol", "TCP") == "TCP"
            for each in parts_of(container, "ports")
        ):
            # one of both could not listen; with the network of the node, the pod would be refused
            text = f"{container.get('name')} has the port {port}; set {PREFIX}port to another one"
            return "port", text
    return None


def _add_volumes(patch: Patch, pod: Json, wishes: Wishes) -> None:
    wanted: list[Json] = [
        {"name": SOCKET_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        # no limit, beyond which the kubelet would evict the pod: the sidecar has one of its own
        {"name": DATA_VOLUME, "emptyDir": {}},
    ]
    if wishes.config is not None:
        wanted.append({"name": CONFIG_VOLUME, "configMap": {"name": wishes.config}})
    if wishes.baseline is not None:
        wanted.append({"name": BASELINE_VOLUME, "configMap": {"name": wishes.baseline}})
    known = {each.get("name") for each in parts_of(spec_of(pod), "volumes")}
    for volume in wanted:
        if volume["name"] not in known:
            patch.append(("spec", "volumes"), volume)


def _add_mounts(patch: Patch, pod: Json, namespace: str, wishes: Wishes) -> None:
    """Give the socket, and the names of the model, to the containers of the model server."""
    environment = {
        "MLGUARD_PROJECT": (wishes.project or namespace)[:128],
        "MLGUARD_MODEL": (wishes.model or model_name(pod))[:128],
    }
    if wishes.endpoint is not None:
        environment["MLGUARD_ENDPOINT"] = wishes.endpoint
    containers = spec_of(pod).get("containers", [])
    for i, container in enumerate(containers):
        name = container.get("name") if isinstance(container, dict) else CONTAINER
        if name == CONTAINER or (wishes.containers and name not in wishes.containers):
            continue
        place = ("spec", "containers", str(i))
        mounts = parts_of(container, "volumeMounts")
        mount = next((each for each in mounts if each.get("name") == SOCKET_VOLUME), None)
        if mount is None:
            mount = {"name": SOCKET_VOLUME, "mountPath": RUN_DIR}
            patch.append((*place, "volumeMounts"), mount)
        socket = f"{str(mount.get('mountPath')).rstrip('/')}/{SOCKET_NAME}"
        known = {each.get("name") for each in parts_of(container, "env")}
        for variable, value in ({"MLGUARD_SOCKET": socket} | environment).items():
            if variable not in known:
                patch.append((*place, "env"), {"name": variable, "value": literal(value)})


def _add_scrape_annotations(patch: Patch, pod: Json, port: int) -> None:
    known = texts_of(pod, "annotations")
    if "prometheus.io/scrape" not in known:  # else they are of the pod's own metrics
        for name, value in (("scrape", "true"), ("port", str(port)), ("path", "/metrics")):
            patch.set(("metadata", "annotations", f"prometheus.io/{name}"), value)


def sidecar_container(wishes: Wishes, config: SidecarConfig, *, native: bool) -> Json:
    """Return the container of the sidecar.

    Args:
        wishes: what the pod's annotations ask for.
        config: the configuration.
        native: whether it is a native sidecar, an init container that keeps running.
    """
    port = wishes.port or config.port
    arguments = ["--listen", f"0.0.0.0:{port}", "--socket", SOCKET, "--data-dir", DATA_DIR]
    mounts: list[Json] = [
        {"name": SOCKET_VOLUME, "mountPath": RUN_DIR},
        {"name": DATA_VOLUME, "mountPath": DATA_DIR},
    ]
    if wishes.config is not None:
        arguments += ["--config", f"{CONFIG_DIR}/config.yaml"]
        mounts.append({"name": CONFIG_VOLUME, "mountPath": CONFIG_DIR, "readOnly": True})
    if wishes.baseline is not None:
        mounts.append({"name": BASELINE_VOLUME, "mountPath": BASELINE_DIR, "readOnly": True})
    container: Json = {
        "name": CONTAINER,
        "image": wishes.image or config.image,
        "imagePullPolicy": config.pull_policy,
        "args": arguments,
        "env": _environment(wishes, config),
        "ports": [{"name": PORT_NAME, "containerPort": port, "protocol": "TCP"}],
        "resources": _resources(wishes, config).as_kubernetes(),
        "volumeMounts": mounts,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # restarts the sidecar alone; there is no readiness probe, as a sidecar that cannot store
        # must not take the model server out of service
        "livenessProbe": _probe(port, periodSeconds=30, failureThreshold=4),
    }
    if config.startup_probe:
        container["startupProbe"] = _probe(port, periodSeconds=1, failureThreshold=60)
    if native:
        container["restartPolicy"] = "Always"
    return container


def _probe(port: int, **times: int) -> Json:
    return {"httpGet": {"path": "/healthz", "port": port}, "timeoutSeconds": 5} | times


def literal(text: str) -> str:
    """Return the value of a variable of a container that Kubernetes expands to a text."""
    return re.sub(r"\$(?=[$(])", "$$", text)


def _environment(wishes: Wishes, config: SidecarConfig) -> list[Json]:
    # 0666 within a volume that only this pod's containers have: they may run as any users
    inline: dict[str, Any] = dict(config.config)
    inline["socket"] = {"mode": "0666"} | dict(inline.get("socket") or {})
    if wishes.baseline is not None:
        inline["baseline"] = dict(inline.get("baseline") or {}) | {"folder": BASELINE_DIR}
    notify = dict(inline.get("notify") or {})
    if wishes.relay_secret is not None and notify.get("relay"):
        # only here: in a pod without the Secret, the variable would stop the sidecar
        notify["relay"] = {"token": "${MLGUARD_RELAY_TOKEN}"} | dict(notify["relay"])
        inline["notify"] = notify
    found: list[Json] = [
        {"name": "MLGUARD_CONFIG", "value": literal(yaml.safe_dump(inline))},
        {"name": "TMPDIR", "value": DATA_DIR},
    ]
    for variable, secret, key in (
        ("MLGUARD_RELAY_TOKEN", wishes.relay_secret, "token"),
        ("MLGUARD_API_KEY", wishes.api_key_secret, "api-key"),
    ):
        if secret is not None:
            # optional: a Secret that is missing must not keep the pod from starting
            source = {"secretKeyRef": {"name": secret, "key": key, "optional": True}}
            found.append({"name": variable, "valueFrom": source})
    return found
