"""Clients of AWS for one account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as BotoConfig
from botocore.credentials import DeferredRefreshableCredentials
from botocore.session import get_session

if TYPE_CHECKING:
    from mlguard_exporter.config import AccountConfig

_REGION = "us-east-1"
"""Where Cost Explorer is, whatever region an account works in."""
_ATTEMPTS = 3
_CONNECT_SECONDS, _READ_SECONDS = 10, 60


class Aws:
    """One account's door to AWS, with credentials that renew themselves.

    The credentials come from where boto3 finds them: variables, profile, a pod's or an instance's
    role. Where the account names a role, that one is assumed with them. Nothing is asked before a
    client is used.

    Args:
        account: how to get in.
    """

    def __init__(self, account: AccountConfig) -> None:
        self._account = account
        self._session: boto3.Session | None = None

    def client(self, service: str) -> Any:
        """A client of a service, with retries of throttling and of broken connections.

        Raises:
            BotoCoreError: the profile does not exist, or the like.
        """
        if self._session is None:
            self._session = self._open()
        region = self._session.region_name if service == "s3" else None
        return self._session.client(
            service,
            region_name=region or _REGION,
            config=BotoConfig(
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                user_agent_appid="mlguard-exporter",
            ),
        )

    def _open(self) -> boto3.Session:
        account = self._account
        own = boto3.Session(profile_name=account.profile)
        if account.role_arn is None:
            return own
        session = get_session()
        # as botocore's own session keeps them: it has no public way to add assumed credentials
        session._credentials = DeferredRefreshableCredentials(  # noqa: SLF001
            refresh_using=lambda: self._assume(own), method="sts-assume-role"
        )
        return boto3.Session(botocore_session=session, region_name=own.region_name)

    def _assume(self, own: boto3.Session) -> dict[str, str]:
        account = self._account
        external = {"ExternalId": account.external_id} if account.external_id else {}
        answer = own.client("sts", region_name=own.region_name or _REGION).assume_role(
            RoleArn=account.role_arn, RoleSessionName="mlguard-exporter", **external
        )
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }
