"""Configuration of rules and notifications."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from mlguard_common.config import ConfigStruct, Interval, read_secret
from mlguard_rules.errors import MatcherError, PatternError
from mlguard_rules.matchers import parse_matchers

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[A-Za-z0-9_.-]+$")]

GROUP_BY = ("alertname", "project", "model", "model_endpoint")

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class ReceiverConfig(ConfigStruct, frozen=True):
    """A receiver: an Apprise URL, which is a secret, from a variable or a file."""

    name: Name
    url: str | None = None
    url_file: str | None = None

    def __post_init__(self) -> None:
        if (self.url is None) is (self.url_file is None):
            raise ValueError("expected either url or url_file")
        if self.url is not None and not self.url.strip():
            raise ValueError("url: expected an Apprise URL that is not empty")

    def read_url(self) -> str:
        """Return the URL.

        Raises:
            ConfigError: the file cannot be read, or is empty.
        """
        if self.url is not None:
            return self.url.strip()
        return read_secret(str(self.url_file), f"notify.receivers: {self.name}: url_file")


class RouteConfig(ConfigStruct, frozen=True):
    """A route: the receivers of some alerts, and its times."""

    receivers: list[str]
    matchers: list[str] = msgspec.field(default_factory=list)
    group_by: list[str] = msgspec.field(default_factory=lambda: list(GROUP_BY))
    group_wait: Interval = Interval("30s")
    group_interval: Interval = Interval("5m")
    repeat_interval: Interval = Interval("4h")
    send_resolved: bool = True
    continues: bool = msgspec.field(default=False, name="continue")

    def __post_init__(self) -> None:
        _check_matchers(self.matchers)
        for name in ("group_interval", "repeat_interval"):
            if not getattr(self, name).seconds:
                raise ValueError(f"{name}: expected more than {getattr(self, name)}")
        if not all(label == "..." or _LABEL.fullmatch(label) for label in self.group_by):
            raise ValueError("group_by: expected names of labels, or ...")


class SilenceConfig(ConfigStruct, frozen=True):
    """A silence."""

    matchers: Annotated[list[str], Meta(min_length=1)]
    starts: datetime | None = None
    ends: datetime | None = None
    comment: str = ""

    def __post_init__(self) -> None:
        _check_matchers(self.matchers)
        if not any(parse_matchers(text) for text in self.matchers):
            raise ValueError("matchers: expected at least one matcher")
        starts, ends = self.epoch_seconds(self.starts), self.epoch_seconds(self.ends)
        if starts is not None and ends is not None and ends <= starts:
            raise ValueError("ends: expected a time after starts")

    def epoch_seconds(self, time: datetime | None) -> float | None:
        """Return a time in epoch seconds; without an offset it is in UTC."""
        if time is None:
            return None
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


class RelayConfig(ConfigStruct, frozen=True):
    """An exporter's relay, or an Alertmanager, to which alerts are forwarded."""

    url: str
    token: str | None = None
    token_file: str | None = None

    def __post_init__(self) -> None:
        if not _is_plain_address(self.url):
            raise ValueError(
                "url: expected http://HOST:PORT or https://HOST:PORT, without user and password"
            )
        if self.token is not None and self.token_file is not None:
            raise ValueError("expected either token or token_file")
        if self.token is not None and not self.token.strip():
            raise ValueError("token: expected a text that is not empty")
        self.read_token()  # so that a missing file is reported now, not at the first alert

    def read_token(self) -> str | None:
        """Return the token, read again each time, as tokens are rotated; None if there is none.

        Raises:
            ConfigError: the file cannot be read, or is empty.
        """
        if self.token_file is None:
            return self.token
        return read_secret(self.token_file, "notify.relay.token_file")


class NotifyConfig(ConfigStruct, frozen=True):
    """Receivers, routes and silences; or a relay instead of them."""

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
            if not _LABEL.fullmatch(name):
                raise ValueError("labels: expected names such as team")
        if self.relay:
            for name in ("receivers", "routes", "silences"):
                if getattr(self, name):
                    raise ValueError(f"{name}: the relay has its own; expected none beside it")
        for i, route in enumerate(self.routes):
            if not set(route.receivers) <= set(names):
                known = ", ".join(names) or "none, as there are no receivers"
                raise ValueError(f"routes[{i}].receivers: expected names among {known}")


class RulesConfig(ConfigStruct, frozen=True):
    """Rules to evaluate."""

    enabled: bool = True
    bundled: bool = True
    files: list[str] = msgspec.field(default_factory=list)
    interval: Interval = Interval("15s")

    def __post_init__(self) -> None:
        if not self.interval.seconds:
            raise ValueError(f"interval: expected more than {self.interval}")


def _check_matchers(texts: list[str]) -> None:
    for i, text in enumerate(texts):
        try:
            parse_matchers(text)
        except (MatcherError, PatternError) as error:  # its text may be that of a secret
            raise ValueError(
                f'matchers[{i}]: expected such as severity="critical"; {error.reason}'
            ) from error


def _is_plain_address(url: str) -> bool:
    """Return whether a URL has a host and perhaps a port, but no user, query or fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return bool(
        parts.scheme in ("http", "https")
        and parts.hostname
        and port != 0
        and "@" not in parts.netloc
        and not parts.query
        and not parts.fragment
        and re.fullmatch(r"\S+", url)
    )
