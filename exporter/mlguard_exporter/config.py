"""What can be configured, with its defaults and its limits."""

from __future__ import annotations

from pathlib import Path

from mlguard_common.config import ConfigError, ConfigStruct
from mlguard_common.log import LogConfig
from mlguard_common.web import split_listen
from mlguard_rules.notify import NotifyConfig, RulesConfig


class RelayConfig(ConfigStruct, frozen=True):
    """Who may hand alerts over: by bearer token, or by name and password."""

    token: str | None = None
    token_file: str | None = None
    username: str = "mlguard"
    password: str | None = None
    password_file: str | None = None

    def __post_init__(self) -> None:
        for name in ("token", "password"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"expected either {name} or {name}_file")

    def secrets(self) -> tuple[str | None, str | None]:
        """Token and password.

        Raises:
            ConfigError: a file cannot be read.
        """
        return _read(self.token, self.token_file), _read(self.password, self.password_file)


class Config(ConfigStruct, frozen=True):
    """The whole file."""

    listen: str = "127.0.0.1:9521"
    data_dir: str | None = None
    relay: RelayConfig = RelayConfig()
    rules: RulesConfig = RulesConfig()
    notify: NotifyConfig = NotifyConfig()
    log: LogConfig = LogConfig()

    def __post_init__(self) -> None:
        split_listen(self.listen)
        if self.notify.relay:
            raise ValueError("notify.relay: the exporter is the relay; give it receivers")


def _read(secret: str | None, file: str | None) -> str | None:
    if file is None:
        return secret
    try:
        found = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"relay: {file} cannot be read: {error}") from error
    if not found:
        raise ConfigError(f"relay: {file} is empty")
    return found
