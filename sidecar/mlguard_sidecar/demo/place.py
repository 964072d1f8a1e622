"""Where a demo lives: the address it listens on, its folder, the sidecar's configuration."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from mlguard_sidecar.demo.errors import CannotStartError

BASELINE_EVENTS = 20_000
PSI_THRESHOLD = 0.2
_LONGEST_SOCKET_PATH = 100
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only read


@dataclass(frozen=True)
class Address:
    """A host and port to listen on."""

    host: str
    port: int

    @property
    def listen(self) -> str:
        """The address as configurations write it."""
        return _joined(self.host, self.port)

    @property
    def url(self) -> str:
        """Where a program on this machine reaches it."""
        return f"http://{_joined(_EVERYWHERE.get(self.host, self.host), self.port)}"


@dataclass(frozen=True)
class Windows:
    """The widths of the rolling windows, in whole seconds.

    Attributes:
        traffic: For throughput, latency and predictions.
        features: For features and drift; at the replay's pace about a month of flights.
    """

    traffic: int
    features: int


@dataclass(frozen=True)
class Folder:
    """The demo's working folder and the files in it."""

    path: Path

    @property
    def config(self) -> Path:
        """The sidecar's configuration."""
        return self.path / "mlguard.yaml"

    @property
    def socket(self) -> Path:
        """The sidecar's socket."""
        return self.path / "mlguard.sock"

    @property
    def data(self) -> Path:
        """The sidecar's store."""
        return self.path / "data"

    @property
    def sidecar_log(self) -> Path:
        """What the sidecar said."""
        return self.path / "sidecar.log"

    @property
    def model_log(self) -> Path:
        """What the model server said."""
        return self.path / "model.log"


def windows_for(seconds: float) -> Windows:
    """Return windows for a year replayed in `seconds`: the features' one spans about a month."""
    return Windows(traffic=5, features=max(2, round(seconds / 12.5)))


def claim_address(listen: str) -> Address:
    """Return the address that `listen` means, port 0 being any free one.

    Raises:
        CannotStartError: It is no HOST:PORT, or another program holds it.
    """
    host, colon, digits = listen.rpartition(":")
    if not colon or not digits.isdecimal() or int(digits) > 0xFFFF:
        raise CannotStartError(
            f"--listen takes HOST:PORT, for example 127.0.0.1:9520, not {listen!r}"
        )
    host, port = host.strip("[]") or "127.0.0.1", int(digits)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            # Without this a port that a demo held a moment ago would count as taken.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
            trial.listen()
            return Address(host=host, port=trial.getsockname()[1])
    except OSError as error:
        raise CannotStartError(
            f"port {port} on {host} cannot be used ({error.strerror}); "
            "choose another with --listen 127.0.0.1:0 (any free one)"
        ) from error


@contextmanager
def claim_folder(wanted: Path | None, *, keep: bool) -> Iterator[Folder]:
    """Give a folder to work in; a temporary one is removed at the end unless `keep`.

    Raises:
        CannotStartError: It cannot be made or written, or already holds a demo's data.
    """
    try:
        folder = (
            _named(wanted) if wanted else Folder(Path(tempfile.mkdtemp(prefix="mlguard-demo-")))
        )
    except OSError as error:
        raise CannotStartError(f"folder {wanted or ''} cannot be used: {error.strerror}") from error
    try:
        if len(str(folder.socket).encode()) > _LONGEST_SOCKET_PATH:
            raise CannotStartError(
                f"folder {folder.path} has too long a name for a socket; "
                "choose a shorter one with --folder DIR"
            )
        yield folder
    finally:
        if wanted is None and not keep:
            shutil.rmtree(folder.path, ignore_errors=True)


def write_config(folder: Folder, address: Address, windows: Windows) -> None:
    """Write the sidecar's configuration into the folder."""
    config = {
        "listen": address.listen,
        "socket": {"path": str(folder.socket)},
        "data_dir": str(folder.data),
        "pane": "1s",
        "windows": {
            "traffic": [f"{windows.traffic}s", "15s"],
            "features": [f"{windows.features}s"],
        },
        "baseline": {"events": BASELINE_EVENTS},
        "drift": {"min_samples": 100},
        "thresholds": {"drift_psi": PSI_THRESHOLD},
        "log": {"level": "warning", "format": "logfmt"},
    }
    folder.config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _named(path: Path) -> Folder:
    folder = Folder(path.expanduser().resolve())
    folder.path.mkdir(parents=True, exist_ok=True)
    if folder.config.exists() or folder.data.exists():
        raise CannotStartError(
            f"folder {folder.path} already holds a demo's data; remove it or choose another"
        )
    with tempfile.TemporaryFile(dir=folder.path):
        return folder


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
