"""Configuration of the injector."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from mlguard_common.config import ConfigStruct
from mlguard_common.log import LogConfig
from mlguard_common.web import HttpConfig, split_listen

_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(m|k|Ki|M|Mi|G|Gi)?")
_UNITS = {"m": Decimal("0.001")} | {
    unit: Decimal(factor)
    for unit, factor in (
        ("k", 10**3), ("M", 10**6), ("G", 10**9), ("Ki", 2**10), ("Mi", 2**20), ("Gi", 2**30)
    )
}  # fmt: skip
_Text = Annotated[str, Meta(min_length=1)]


def is_quantity(text: str) -> bool:
    """Return whether a text is a quantity of Kubernetes, such as `10m` or `96Mi`."""
    return _QUANTITY.fullmatch(text) is not None


def _size(quantity: str) -> Decimal:
    number, unit = _QUANTITY.findall(quantity)[0]
    return Decimal(number) * _UNITS.get(unit, Decimal(1))


class ResourcesConfig(ConfigStruct, frozen=True):
    """Resources of the sidecar.

    The requests are what a sidecar of 50 features needs at 100 events a second; there is no limit
    of CPU, as throttling would delay the model server's events.
    """

    cpu_request: str | None = "10m"
    memory_request: str | None = "96Mi"
    cpu_limit: str | None = None
    memory_limit: str | None = "256Mi"

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not is_quantity(value):
                raise ValueError(f"{name}: found {value!r}, expected a quantity such as 96Mi")
        for request, limit in (("cpu_request", "cpu_limit"), ("memory_request", "memory_limit")):
            wanted, most = getattr(self, request), getattr(self, limit)
            # Kubernetes would refuse the pod
            if wanted is not None and most is not None and _size(wanted) > _size(most):
                raise ValueError(f"{request}: found {wanted!r}, expected at most {limit}, {most!r}")

    def as_kubernetes(self) -> dict[str, dict[str, str]]:
        """Return the section `resources` of a container."""
        wanted = {
            "requests": {"cpu": self.cpu_request, "memory": self.memory_request},
            "limits": {"cpu": self.cpu_limit, "memory": self.memory_limit},
        }
        found = {
            kind: {name: value for name, value in each.items() if value is not None}
            for kind, each in wanted.items()
        }
        return {kind: each for kind, each in found.items() if each}


class SidecarConfig(ConfigStruct, frozen=True):
    """What is put into pods.

    `config` is the sidecar's configuration, as its file would have it.
    """

    image: _Text | None = None
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    pull_secrets: list[_Text] = msgspec.field(default_factory=list)
    port: Annotated[int, Meta(ge=1024, le=65_535)] = 9520
    resources: ResourcesConfig = ResourcesConfig()
    native: Literal["auto", "always", "never"] = "auto"
    startup_probe: bool = False
    scrape_annotations: bool = False
    config: dict[str, Any] = msgspec.field(default_factory=dict)


class CertificateConfig(ConfigStruct, frozen=True):
    """Certificate of the webhook: files that others renew, or one that the injector makes.

    It makes its own where `secret` is set: replicas share it in this Secret, and the bundle of the
    webhook's configuration follows.
    """

    cert_file: str = "/etc/mlguard/tls/tls.crt"
    key_file: str = "/etc/mlguard/tls/tls.key"
    secret: str | None = None
    namespace: str | None = None
    service: str = "mlguard-injector"
    webhook: str = "mlguard-injector"

    def __post_init__(self) -> None:
        if self.secret is not None and self.namespace is None:
            raise ValueError("secret: expected namespace beside it")


class Config(ConfigStruct, frozen=True):
    """Configuration file."""

    listen: str = "0.0.0.0:10250"
    metrics_listen: str = "0.0.0.0:9522"
    certificate: CertificateConfig = CertificateConfig()
    sidecar: SidecarConfig = SidecarConfig()
    log: LogConfig = LogConfig()

    def __post_init__(self) -> None:
        split_listen(self.listen)
        split_listen(self.metrics_listen)

    @property
    def http(self) -> HttpConfig:
        """Access over HTTP: over loopback alone, as there is nothing to configure."""
        return HttpConfig()
