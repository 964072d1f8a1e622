"""Clients of AWS for one account."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as BotoConfig
from botocore.credentials import DeferredRefreshableCredentials
from botocore.loaders import create_loader
from botocore.session import Session

from mlguard_exporter.sources.aws.credentials import explain_renewals, explained
from mlguard_exporter.sources.aws.partitions import Partitions

if TYPE_CHECKING:
    from mlguard_exporter.config import AccountConfig

_LOADER = create_loader(os.environ.get("AWS_DATA_PATH"))
"""botocore's service descriptions, loaded once for all sessions, as loading them is slow."""
_PATHS = tuple(_LOADER.search_paths)
_PARTITIONS = Partitions(_LOADER)
_PATIENT = BotoConfig(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=10,
    read_timeout=60,
    user_agent_appid="mlguard-exporter",
)
_IMPATIENT = _PATIENT.merge(
    BotoConfig(
        retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=20
    )
)

logging.getLogger("botocore").setLevel(logging.ERROR)  # it logs, with a traceback, what it raises


class _Session:
    """A session of boto3 on one of botocore, in the partition of its region or role."""

    def __init__(self, account: AccountConfig, config: BotoConfig) -> None:
        self.core = core = Session(profile=account.profile)
        _LOADER.search_paths[:] = _PATHS  # as boto3 adds its own each time
        core.register_component("data_loader", _LOADER)
        core.set_default_client_config(config)  # for botocore's own requests for credentials
        role = account.role_arn or os.environ.get("AWS_ROLE_ARN")
        role = role or core.get_scoped_config().get("role_arn")
        region = _PARTITIONS.region(core.get_config_variable("region"), role)
        core.set_config_variable("region", region)
        self._boto = boto3.Session(botocore_session=core)

    def client(self, service: str, region: str | None, config: BotoConfig) -> Any:
        with explained(self.core):
            made = self._boto.client(service, region_name=region, config=config)
        explain_renewals(self.core)
        return made


class AwsSession:
    """Makes clients for one account, with credentials that renew themselves.

    The credentials are those that boto3 finds when the first client is made: variables, profile,
    a pod's or an instance's role. Where the account names a role, that role is assumed with them.
    No request is made before a client is used. Endpoints are those of the partition that the
    region, or the role, belongs to.

    Args:
        account: the profile, role and external ID.
        patient: retry and wait long, for the daemon; False where a user waits at a terminal.
    """

    def __init__(self, account: AccountConfig, *, patient: bool = True) -> None:
        self._account = account
        self._config = _PATIENT if patient else _IMPATIENT
        self._session: _Session | None = None

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service; it retries after throttling and lost connections.

        Its requests raise a CredentialError where the credentials cannot be had or renewed.

        Raises:
            CredentialError: the credentials cannot be had, or a service's address is none.
            BotoCoreError: the profile does not exist, or the like.
        """
        if self._session is None:
            self._session = self._open()
        region = str(self._session.core.get_config_variable("region"))
        return self._session.client(service, _PARTITIONS.serving(service, region), self._config)

    def _open(self) -> _Session:
        own = _Session(self._account, self._config)
        if self._account.role_arn is None:
            return own
        session = _Session(self._account, self._config)
        # as botocore's own session keeps them: it has no public way to add assumed credentials
        session.core._credentials = DeferredRefreshableCredentials(  # noqa: SLF001
            refresh_using=lambda: self._assume(own), method="sts-assume-role"
        )
        return session

    def _assume(self, own: _Session) -> dict[str, str]:
        account = self._account
        external = {"ExternalId": account.external_id} if account.external_id else {}
        answer = own.client("sts", None, self._config).assume_role(
            RoleArn=account.role_arn, RoleSessionName="mlguard-exporter", **external
        )
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }
