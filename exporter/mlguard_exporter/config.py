"""What can be configured, with its defaults and its limits."""

from __future__ import annotations

from mlguard_common.config import ConfigStruct, read_secret
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
            if getattr(self, name) is not None and not getattr(self, name).strip():
                raise ValueError(f"{name}: expected a text that is not empty")

    def secrets(self) -> tuple[str | None, str | None]:
        """Token and password.

        Raises:
            ConfigError: a file cannot be read.
        """
        token, password = self.token, self.password
        if self.token_file is not None:
            token = read_secret(self.token_file, "relay.token_file")
        if self.password_file is not None:
            password = read_secret(self.password_file, "relay.password_file")
        return token, password


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
