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

from mlguard_exporter.sources.aws.partitions import COMMERCIAL, Partitions

if TYPE_CHECKING:
    from mlguard_exporter.config import AccountConfig

_COST_EXPLORER = "us-east-1"
"""The region of Cost Explorer in the commercial partition, whichever an account works in."""
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


def _new_session(profile: str | None) -> Session:
    session = Session(profile=profile)
    _LOADER.search_paths[:] = _PATHS  # as boto3 adds its own each time
    session.register_component("data_loader", _LOADER)
    return session


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
        self._session: boto3.Session | None = None

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service; it retries after throttling and lost connections.

        Raises:
            BotoCoreError: the profile does not exist, or the like.
        """
        if self._session is None:
            self._session = self._open()
        region = self._region(self._session)
        if service == "ce" and _PARTITIONS.of_region(region) in (COMMERCIAL, None):
            region = _COST_EXPLORER
        return self._session.client(service, region_name=region, config=self._config)

    def _region(self, session: boto3.Session) -> str:
        return _PARTITIONS.region(session.region_name, self._account.role_arn)

    def _open(self) -> boto3.Session:
        account = self._account
        own = boto3.Session(botocore_session=_new_session(account.profile))
        if account.role_arn is None:
            return own
        session = _new_session(account.profile)
        # as botocore's own session keeps them: it has no public way to add assumed credentials
        session._credentials = DeferredRefreshableCredentials(  # noqa: SLF001
            refresh_using=lambda: self._assume(own), method="sts-assume-role"
        )
        return boto3.Session(botocore_session=session, region_name=own.region_name)

    def _assume(self, own: boto3.Session) -> dict[str, str]:
        account = self._account
        external = {"ExternalId": account.external_id} if account.external_id else {}
        sts = own.client("sts", region_name=self._region(own), config=self._config)
        answer = sts.assume_role(
            RoleArn=account.role_arn, RoleSessionName="mlguard-exporter", **external
        )
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }
