"""From the configuration to what alerting runs with."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from mlguard_common.config import ConfigError
from mlguard_rules.notify import Links, Route, Silence
from mlguard_rules.rulefile import AlertRule, RuleFileError, load_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlguard_rules.notify import NotifyConfig, RulesConfig
    from mlguard_rules.notify.config import HandoverConfig
    from mlguard_rules.rulefile import Group


@dataclass(frozen=True)
class Settings:
    """What alerting runs with.

    Attributes:
        groups: rules.
        interval: seconds between evaluations.
        routes: which alerts go where.
        urls: receiver -> its Apprise URL, a secret.
        silences: of the configuration.
        relay: what alerts are handed to instead, None where they are not.
        labels: added to alerts that are handed on.
        links: put into messages.
        source: address of this process, for who reads a handed over alert.
    """

    groups: tuple[Group, ...]
    interval: float
    routes: tuple[Route, ...]
    urls: Mapping[str, str]
    silences: tuple[Silence, ...]
    relay: HandoverConfig | None
    labels: Mapping[str, str]
    links: Links
    source: str

    @staticmethod
    def configured(rules: RulesConfig, notify: NotifyConfig, bundled: Sequence[str]) -> Settings:
        """Read what the configuration names.

        Args:
            rules: what is judged.
            notify: who is told.
            bundled: names of the bundled files that this process can judge.

        Raises:
            ConfigError: a rule file or the file of a secret cannot be used.
        """
        paths = [bundled_file(name) for name in bundled] if rules.bundled else []
        paths += [Path(name) for name in rules.files]
        try:
            groups = [group for path in paths for group in load_rules(path)]
        except RuleFileError as error:
            raise ConfigError(str(error)) from error
        _refuse_twins(groups)
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
            source=notify.external_url or "",
        )


def _refuse_twins(groups: Sequence[Group]) -> None:
    """Two rules of one identity would take each other's alerts."""
    places: dict[str, str] = {}
    for rule in [r for group in groups for r in group.rules if isinstance(r, AlertRule)]:
        if rule.id in places:
            raise ConfigError(
                f"rules.files: {rule.name} stands at {places[rule.id]} and at {rule.place};"
                " expected each file once, under a name of its own"
            )
        places[rule.id] = rule.place


def bundled_file(name: str) -> Path:
    """A rule file that comes with the product."""
    return Path(str(files("mlguard_rules"))) / "bundled" / f"{name}.rules.yml"
