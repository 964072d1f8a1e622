"""The sidecar in manifests, for those who render them without the webhook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from mlguard_injector.inject import inject
from mlguard_injector.patch import applied
from mlguard_injector.pod import metadata_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlguard_injector.config import SidecarConfig
    from mlguard_injector.pod import Json

_TEMPLATES = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Kind of a manifest -> where the pod stands in it."""


class _Dumper(yaml.SafeDumper):
    """Quotes texts that YAML 1.1 takes for texts, and kubectl for numbers or booleans."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^(?:[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|[yYnN])$"),
    list("-+.0123456789yYnN"),
)


class ManifestError(ValueError):
    """Text that is no manifest; the text says why."""


def with_sidecars(
    text: str, namespace: str, config: SidecarConfig, *, native: bool
) -> tuple[str, list[str]]:
    """Return manifests with the sidecar in every pod, and warnings.

    Args:
        text: YAML documents; those without a pod stay as they are.
        namespace: namespace of manifests that name none.
        config: what is put into pods.
        native: whether the cluster has native sidecars.

    Raises:
        ManifestError: it is not YAML, or holds no manifest with a pod.
    """
    try:
        documents = [_unshared(each) for each in yaml.safe_load_all(text) if each is not None]
    except yaml.YAMLError as error:
        raise ManifestError(f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ManifestError("an alias stands for what contains it") from error
    warnings: list[str] = []
    pods = list(_pods(documents))
    if not pods:
        raise ManifestError(f"found no pod; expected one of {', '.join(_TEMPLATES)}")
    for manifest, parent, key in pods:
        metadata = dict(metadata_of(parent[key]))
        pod = parent[key] | {"metadata": dict(metadata)}
        owner = metadata_of(manifest)
        # the owner gives the model its name, as it would in the cluster
        metadata.setdefault("name", owner.get("name") or owner.get("generateName", ""))
        found = inject(
            pod | {"metadata": metadata},
            str(owner.get("namespace") or namespace),
            config,
            native=native,
        )
        warnings += [f"{manifest['kind']} {owner.get('name', '')}: {w}" for w in found.warnings]
        if found.patch:
            parent[key] = applied(pod, found.patch)
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=10_000)
    return text, warnings


def _unshared(tree: Any) -> Any:
    """Return a copy in which no two places share a section, as those of aliases do."""
    if isinstance(tree, dict):
        return {key: _unshared(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_unshared(value) for value in tree]
    return tree


def _pods(documents: list[Any]) -> Iterator[tuple[Json, Any, Any]]:
    """Yield each manifest with a pod, and the container and key where the pod stands."""
    for i, document in enumerate(documents):
        if not isinstance(document, dict):
            continue
        if document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from _pods(document["items"])
        path = _TEMPLATES.get(str(document.get("kind")))
        if path is None:
            continue
        parent: Any = documents
        key: Any = i
        pod: Any = document
        for part in path:
            parent, key = pod, part
            pod = parent.get(part) if isinstance(parent, dict) else None
        if isinstance(pod, dict):
            yield document, parent, key
