"""Rules, routes and receivers, read from the configuration."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from mlguard_common.config import ConfigError
from mlguard_rules.notify import Links, Route, Silence
from mlguard_rules.promql import MAX_SAMPLES, MAX_SAMPLES_PER_SERIES
from mlguard_rules.rulefile import AlertRule, RuleFileError, load_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_rules.notify import NotifyConfig, RelayConfig, RulesConfig
    from mlguard_rules.promql import Selector
    from mlguard_rules.rulefile import RuleGroup


@dataclass(frozen=True)
class Settings:
    """Settings of alerting.

    Attributes:
        groups: rules.
        interval: seconds between evaluations.
        routes: in the order in which they are tried.
        urls: receiver -> its Apprise URL, a secret.
        silences: of the configuration.
        relay: to which alerts are forwarded instead, None if they are not.
        labels: added to alerts that are dispatched or forwarded.
        links: addresses in notifications.
        generator_url: address of this process in alerts that are forwarded.
    """

    groups: tuple[RuleGroup, ...]
    interval: float
    routes: tuple[Route, ...]
    urls: Mapping[str, str]
    silences: tuple[Silence, ...]
    relay: RelayConfig | None
    labels: Mapping[str, str]
    links: Links
    generator_url: str

    @staticmethod
    def configured(rules: RulesConfig, notify: NotifyConfig, bundled: Sequence[str]) -> Settings:
        """Read the rule files and secrets that a configuration names.

        Args:
            rules: which rules are evaluated.
            notify: receivers, routes and silences.
            bundled: names of the bundled rule files that fit this process.

        Raises:
            ConfigError: a rule file or the file of a secret cannot be used.
        """
        paths = [bundled_file(name) for name in bundled] if rules.bundled else []
        paths += [Path(name) for name in rules.files]
        try:
            groups = [group for path in paths for group in load_rules(path)]
        except RuleFileError as error:
            raise ConfigError(str(error)) from error
        _refuse_duplicates(groups)
        _refuse_excess(groups, rules.interval.seconds)
        instance = {"instance": socket.gethostname()} if notify.relay else {}
        return Settings(
            groups=tuple(groups) if rules.enabled else (),
            interval=rules.interval.seconds,
            routes=Route.configured(notify),
            urls={receiver.name: receiver.read_url() for receiver in notify.receivers},
            silences=tuple(Silence.configured(part) for part in notify.silences),
            relay=notify.relay,
            labels=instance | notify.labels,
            links=Links(notify.external_url or "", notify.runbook_base or ""),
            generator_url=notify.external_url or "",
        )


def _refuse_duplicates(groups: Sequence[RuleGroup]) -> None:
    """Refuse two rules with the same identity, which would share their alerts."""
    locations: dict[str, str] = {}
    for rule in [r for group in groups for r in group.rules if isinstance(r, AlertRule)]:
        if rule.id in locations:
            raise ConfigError(
                f"rules.files: found {rule.name} at {locations[rule.id]} and at {rule.location},"
                " expected each file once, with a file name of its own"
            )
        locations[rule.id] = rule.location


def _refuse_excess(groups: Sequence[RuleGroup], interval: float) -> None:
    """Refuse rules whose ranges and offsets need more samples than are kept, of few series too."""
    lengths: dict[Selector, int] = {}
    for rule in [rule for group in groups for rule in group.rules]:
        where = f"rules.files: {rule.location}: {rule.name}"
        for selector, length in rule.expression.ranges:
            count = int(length / 1000 / interval) + 1
            if count > MAX_SAMPLES_PER_SERIES:
                raise ConfigError(
                    f"{where}: with rules.interval {interval:g}s its range or offset needs"
                    f" {count:,} samples of each series, expected at most"
                    f" {MAX_SAMPLES_PER_SERIES:,}: shorten it, or raise rules.interval"
                )
            lengths[selector] = max(count, lengths.get(selector, 0))
        if sum(lengths.values()) > MAX_SAMPLES:
            raise ConfigError(
                f"{where}: up to here ranges and offsets need {sum(lengths.values()):,} samples"
                f" if each selector has one series, expected at most {MAX_SAMPLES:,}"
            )


def bundled_file(name: str) -> Path:
    """Return the path of a bundled rule file."""
    return Path(str(files("mlguard_rules"))) / "bundled" / f"{name}.rules.yml"
