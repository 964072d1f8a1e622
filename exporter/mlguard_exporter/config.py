"""The configuration: keys, defaults and limits."""

from __future__ import annotations

import re

import msgspec

from mlguard_common.config import ConfigStruct, Duration, read_secret
from mlguard_common.log import LogConfig
from mlguard_common.web import HttpConfig, split_listen
from mlguard_exporter.spend import Basis
from mlguard_exporter.spikes import SpikeConfig
from mlguard_rules.notify import NotifyConfig, RulesConfig

_NAME = 128
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/\S+")
_EXPORT = re.compile(r"s3://[^/]+(/.*)?|/.*")
_URL = re.compile(r"https?://[^\s/@?#]+(/[^\s?#@]*)?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_MIN_INTERVAL_SECONDS, _DAY_SECONDS = 6 * 3600, 24 * 3600
_MAX_REQUESTS = 100_000


class RelayConfig(ConfigStruct, frozen=True):
    """Who may post alerts: with a bearer token, or with a name and password."""

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
        """Return token and password.

        Raises:
            ConfigError: a file cannot be read.
        """
        token, password = self.token, self.password
        if self.token_file is not None:
            token = read_secret(self.token_file, "relay.token_file")
        if self.password_file is not None:
            password = read_secret(self.password_file, "relay.password_file")
        return token, password


class AccountConfig(ConfigStruct, frozen=True):
    """One AWS account, with the credentials that boto3 finds, or a role assumed with them.

    Spend comes from Cost Explorer, or from the billing export in `export`.
    """

    name: str
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    export: str | None = None

    def __post_init__(self) -> None:
        if not self.name.isprintable() or not 1 <= len(self.name) <= _NAME:
            raise ValueError(f"name: expected 1 to {_NAME} printable characters")
        if self.profile == "":
            raise ValueError("profile: expected the name of one")
        if self.role_arn is not None and not _ROLE.fullmatch(self.role_arn):
            raise ValueError("role_arn: expected arn:aws:iam::ACCOUNT:role/NAME")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id: expected role_arn beside it")
        if self.export is not None and not _EXPORT.fullmatch(self.export):
            raise ValueError("export: expected s3://BUCKET/PREFIX or /FOLDER")


class TagsConfig(ConfigStruct, frozen=True):
    """The cost allocation tags that name the owner of spend."""

    project: str = "mlguard:project"
    model: str = "mlguard:model"
    endpoint: str = "mlguard:endpoint"

    def __post_init__(self) -> None:
        if "" in self.names or len(set(self.names)) != len(self.names):
            raise ValueError("expected three different tags")

    @property
    def names(self) -> tuple[str, str, str]:
        """The tags of project, model and endpoint, in this order."""
        return self.project, self.model, self.endpoint


class BudgetConfig(ConfigStruct, frozen=True):
    """The limit of a project's, or of one of its models', cost in a month."""

    project: str
    amount: float
    model: str | None = None
    currency: str = "USD"

    def __post_init__(self) -> None:
        if not 0 < self.amount < float("inf"):
            raise ValueError("amount: expected more than 0")
        if not self.project or self.model == "":
            raise ValueError("expected a project, and a model that is not empty or none")
        if not _CURRENCY.fullmatch(self.currency):
            raise ValueError("currency: expected a code of three capitals, such as USD")


class CostConfig(ConfigStruct, frozen=True):
    """Which spend is read, how often, and when it is a spike."""

    accounts: list[AccountConfig] = msgspec.field(default_factory=list)
    basis: Basis = Basis.UNBLENDED
    interval: Duration = Duration("24h")
    max_requests_per_month: int = 200
    tags: TagsConfig = TagsConfig()
    budgets: list[BudgetConfig] = msgspec.field(default_factory=list)
    untagged_threshold_ratio: float = 0.2
    inferences_url: str | None = None
    spikes: SpikeConfig = SpikeConfig()

    def __post_init__(self) -> None:
        names = [account.name for account in self.accounts]
        if len(set(names)) != len(names):
            raise ValueError("accounts: expected different names")
        if not _MIN_INTERVAL_SECONDS <= self.interval.seconds <= _DAY_SECONDS:
            raise ValueError("interval: expected 6h to 24h; AWS has new figures no more often")
        if not 0 <= self.max_requests_per_month <= _MAX_REQUESTS:
            raise ValueError(f"max_requests_per_month: expected 0 to {_MAX_REQUESTS}")
        if not 0 <= self.untagged_threshold_ratio <= 1:
            raise ValueError("untagged_threshold_ratio: expected 0 (no alert) to 1")
        if self.inferences_url is not None and not _URL.fullmatch(self.inferences_url):
            raise ValueError("inferences_url: expected http://HOST:PORT of a sidecar or Prometheus")
        budgets = [(b.project, b.model, b.currency) for b in self.budgets]
        if len(set(budgets)) != len(budgets):
            raise ValueError("budgets: expected one for each project, model and currency")


class Config(ConfigStruct, frozen=True):
    """The configuration file."""

    listen: str = "127.0.0.1:9521"
    data_dir: str | None = None
    cost: CostConfig = CostConfig()
    relay: RelayConfig = RelayConfig()
    rules: RulesConfig = RulesConfig()
    notify: NotifyConfig = NotifyConfig()
    http: HttpConfig = HttpConfig()
    log: LogConfig = LogConfig()

    def __post_init__(self) -> None:
        split_listen(self.listen)
        if self.notify.relay:
            raise ValueError("notify.relay: the exporter is the relay; give it receivers")
