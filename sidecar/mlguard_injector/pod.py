"""What a pod is: its names, its owner, and whether a sidecar fits."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

_KSERVE_LABEL = "serving.kserve.io/inferenceservice"
_ROLLOUT_LABEL = "rollouts-pod-template-hash"
"""Label of Argo Rollouts, in the place of a Deployment's `pod-template-hash`."""

_CRON_SUFFIX = re.compile(r"-\d{8,}$")


def spec_of(pod: Json) -> Json:
    """Return the section `spec`; an empty one where it is missing or no object."""
    spec = pod.get("spec")
    return spec if isinstance(spec, dict) else {}


def metadata_of(pod: Json) -> Json:
    """Return the section `metadata`, likewise."""
    found = pod.get("metadata")
    return found if isinstance(found, dict) else {}


def texts_of(pod: Json, key: str) -> dict[str, str]:
    """Return labels or annotations."""
    found = metadata_of(pod).get(key)
    return dict(found) if isinstance(found, dict) else {}


def parts_of(parent: Json, key: str) -> list[Json]:
    """Return a list of objects, such as containers or volumes."""
    found = parent.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def is_windows(pod: Json) -> bool:
    """Return whether a pod runs on Windows."""
    spec = spec_of(pod)
    selector, system = spec.get("nodeSelector"), spec.get("os")
    return (isinstance(selector, dict) and selector.get("kubernetes.io/os") == "windows") or (
        isinstance(system, dict) and system.get("name") == "windows"
    )


def model_name(pod: Json) -> str:
    """Return the name of what runs in a pod: of its InferenceService, Deployment, CronJob, ..."""
    metadata, labels = metadata_of(pod), texts_of(pod, "labels")
    if labels.get(_KSERVE_LABEL):
        return labels[_KSERVE_LABEL]
    owners = parts_of(metadata, "ownerReferences")
    owner = next((each for each in owners if each.get("controller")), owners[0] if owners else None)
    if owner is not None and owner.get("name"):
        name, kind = str(owner["name"]), owner.get("kind")
        if kind == "ReplicaSet":
            template = labels.get("pod-template-hash") or labels.get(_ROLLOUT_LABEL)
            return name.removesuffix(f"-{template}")
        return _CRON_SUFFIX.sub("", name) if kind == "Job" else name
    name = metadata.get("name") or str(metadata.get("generateName", "")).rstrip("-")
    return str(name) or "model"
