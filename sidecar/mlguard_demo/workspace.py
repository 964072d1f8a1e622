"""The addresses of the daemons, and the working folder."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mlguard_demo.errors import StartError

_MAX_SOCKET_PATH = 100
"""Bytes; the system allows about 108."""
_MAX_PORT = 0xFFFF
_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only compared


@dataclass(frozen=True)
class Address:
    """A host and port to listen on."""

    host: str
    port: int

    @property
    def listen(self) -> str:
        """The address as HOST:PORT."""
        return _host_and_port(self.host, self.port)

    @property
    def url(self) -> str:
        """The URL for programs on this machine."""
        return f"http://{_host_and_port(_LOOPBACK_OF.get(self.host, self.host), self.port)}"


@dataclass(frozen=True)
class Addresses:
    """The addresses of the two daemons."""

    sidecar: Address
    exporter: Address

    @property
    def urls(self) -> tuple[str, str]:
        """The URLs of both, the sidecar's first."""
        return self.sidecar.url, self.exporter.url


@dataclass(frozen=True)
class Windows:
    """The lengths of the rolling windows, in whole seconds.

    Attributes:
        traffic: of throughput, latency and predictions.
        features: of features and drift; about a month of flights at the pace of the replay.
    """

    traffic: int
    features: int

    @property
    def traffic_label(self) -> str:
        """The name of the traffic window in configuration and API."""
        return f"{self.traffic}s"

    @property
    def features_label(self) -> str:
        """The name of the feature window in configuration and API."""
        return f"{self.features}s"


@dataclass(frozen=True)
class Workspace:
    """The working folder and the files in it."""

    path: Path

    @property
    def config(self) -> Path:
        """The sidecar's configuration."""
        return self.path / "mlguard.yaml"

    @property
    def exporter_config(self) -> Path:
        """The exporter's configuration."""
        return self.path / "exporter.yaml"

    @property
    def socket(self) -> Path:
        """The sidecar's socket."""
        return self.path / "mlguard.sock"

    @property
    def data(self) -> Path:
        """The folder of both databases."""
        return self.path / "data"

    @property
    def sidecar_log(self) -> Path:
        """The sidecar's standard error."""
        return self.path / "sidecar.log"

    @property
    def exporter_log(self) -> Path:
        """The exporter's standard error."""
        return self.path / "exporter.log"

    @property
    def model_log(self) -> Path:
        """The model server's standard error."""
        return self.path / "model.log"


def windows_for(seconds: float) -> Windows:
    """Return the windows for a year that is replayed in `seconds`."""
    return Windows(traffic=5, features=max(2, round(seconds / 12.5)))


def check_addresses(listen: str) -> Addresses:
    """Parse the sidecar's HOST:PORT and check that it is free; port 0 becomes any free one.

    The exporter gets the next port of the same host, or any free one where that is in use.

    Raises:
        StartError: it is not HOST:PORT, or another program uses it.
    """
    host, colon, digits = listen.rpartition(":")
    if not colon or not digits.isdecimal() or int(digits) > _MAX_PORT:
        raise StartError(f"--listen takes HOST:PORT, for example 127.0.0.1:9520, not {listen!r}")
    host, port = host.strip("[]") or "127.0.0.1", int(digits)
    try:
        sidecar = _probe(host, port)
    except OSError as error:
        raise StartError(
            f"port {port} on {host} cannot be used ({error.strerror}); "
            "choose another with --listen 127.0.0.1:0 (any free one)"
        ) from error
    if sidecar.port < _MAX_PORT:
        with suppress(OSError):
            return Addresses(sidecar, _probe(host, sidecar.port + 1))
    return Addresses(sidecar, _probe(host, 0))


def _probe(host: str, port: int) -> Address:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Without this, a port that was used a moment ago would count as in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen()
        return Address(host=host, port=probe.getsockname()[1])


@contextmanager
def open_workspace(folder: Path | None, *, keep: bool) -> Iterator[Workspace]:
    """Create the working folder; a temporary one is removed at the end unless `keep`.

    Raises:
        StartError: it cannot be created or written to, or already holds data.
    """
    try:
        workspace = (
            _create(folder) if folder else Workspace(Path(tempfile.mkdtemp(prefix="mlguard-demo-")))
        )
    except OSError as error:
        raise StartError(f"folder {folder or ''} cannot be used: {error.strerror}") from error
    try:
        if len(str(workspace.socket).encode()) > _MAX_SOCKET_PATH:
            raise StartError(
                f"the path of folder {workspace.path} is too long for a socket; "
                "choose a shorter one with --folder DIR"
            )
        yield workspace
    finally:
        if folder is None and not keep:
            shutil.rmtree(workspace.path, ignore_errors=True)


def _create(path: Path) -> Workspace:
    workspace = Workspace(path.expanduser().resolve())
    workspace.path.mkdir(parents=True, exist_ok=True)
    if workspace.config.exists() or workspace.data.exists():
        raise StartError(
            f"folder {workspace.path} already holds data of a demo; remove it or choose another"
        )
    with tempfile.TemporaryFile(dir=workspace.path):
        return workspace


def _host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
