"""What can be configured about notifications."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from mlguard_common.config import ConfigError, ConfigStruct, Duration
from mlguard_rules.notify.matchers import Matcher

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_.-]+$")]

GROUP_BY = ("alertname", "project", "model", "model_endpoint")


class ReceiverConfig(ConfigStruct, frozen=True):
    """Where messages go: an Apprise URL, which is a secret, from a variable or a file."""

    name: Name
    url: str | None = None
    url_file: str | None = None

    def __post_init__(self) -> None:
        if (self.url is None) is (self.url_file is None):
            raise ValueError("expected either url or url_file")

    def read_url(self) -> str:
        """The URL.

        Raises:
            ConfigError: the file cannot be read, or is empty.
        """
        if self.url is not None:
            return self.url.strip()
        path = str(self.url_file)
        try:
            url = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"notify.receivers: {self.name}: {path} cannot be read: {error.strerror}"
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"notify.receivers: {self.name}: {path} holds no text") from error
        if not url:
            raise ConfigError(f"notify.receivers: {self.name}: {path} is empty")
        return url


class RouteConfig(ConfigStruct, frozen=True):
    """Which alerts go where, and how often."""

    receivers: list[str]
    matchers: list[str] = msgspec.field(default_factory=list)
    group_by: list[str] = msgspec.field(default_factory=lambda: list(GROUP_BY))
    group_wait: Duration = Duration("30s")
    group_interval: Duration = Duration("5m")
    repeat_interval: Duration = Duration("4h")
    send_resolved: bool = True
    go_on: bool = msgspec.field(default=False, name="continue")

    def __post_init__(self) -> None:
        for text in self.matchers:
            Matcher.parse(text)


class SilenceConfig(ConfigStruct, frozen=True):
    """Alerts that nobody is told of for a while."""

    matchers: Annotated[list[str], Meta(min_length=1)]
    starts: datetime | None = None
    ends: datetime | None = None
    comment: str = ""

    def __post_init__(self) -> None:
        for text in self.matchers:
            Matcher.parse(text)

    def seconds(self, moment: datetime | None) -> float | None:
        """A moment in epoch seconds; one that names no offset is in UTC."""
        if moment is None:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class RelayConfig(ConfigStruct, frozen=True):
    """An exporter's relay, or an Alertmanager, that alerts are handed to."""

    url: str
    token: str | None = None
    token_file: str | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("url: expected http://HOST:PORT or https://HOST:PORT")
        if self.token is not None and self.token_file is not None:
            raise ValueError("expected either token or token_file")


class NotifyConfig(ConfigStruct, frozen=True):
    """Who is told of alerts."""

    receivers: list[ReceiverConfig] = msgspec.field(default_factory=list)
    routes: list[RouteConfig] = msgspec.field(default_factory=list)
    silences: list[SilenceConfig] = msgspec.field(default_factory=list)
    relay: RelayConfig | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    external_url: str | None = None
    runbook_base: str | None = None

    def __post_init__(self) -> None:
        names = [receiver.name for receiver in self.receivers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"receivers: found {name} twice, expected it once")
        for name in self.labels:
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
                raise ValueError(f"labels: found {name!r}, expected the name of a label")
        for route in self.routes:
            for name in route.receivers:
                if name not in names:
                    raise ValueError(f"routes: found receiver {name}, expected one of {names}")
        if self.relay and self.receivers:
            raise ValueError("expected either relay or receivers, as the relay has its own")


class RulesConfig(ConfigStruct, frozen=True):
    """What is judged."""

    enabled: bool = True
    bundled: bool = True
    files: list[str] = msgspec.field(default_factory=list)
    interval: Duration = Duration("15s")
