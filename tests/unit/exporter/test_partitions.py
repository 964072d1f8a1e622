"""Each partition of AWS has endpoints of its own."""

from __future__ import annotations

import re

import boto3
import pytest
from support import aws

from mlguard_exporter.config import AccountConfig
from mlguard_exporter.sources.aws import AwsSession

REGIONS = {
    "us-east-1": "aws",
    "eu-west-1": "aws",
    "cn-north-1": "aws-cn",
    "cn-northwest-1": "aws-cn",
    "us-gov-west-1": "aws-us-gov",
    "us-gov-east-1": "aws-us-gov",
    "eusc-de-east-1": "aws-eusc",
    "us-iso-east-1": "aws-iso",
    "us-isob-east-1": "aws-iso-b",
    "eu-isoe-west-1": "aws-iso-e",
    "us-isof-south-1": "aws-iso-f",
}
SERVING = {
    "aws": "us-east-1",
    "aws-cn": "cn-northwest-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
}
"""The region that serves each partition as a whole."""
SERVICES = ("ce", "sts", "s3")


def role_in(partition: str) -> str:
    return f"arn:{partition}:iam::{aws.ACCOUNT}:role/mlguard"


def built(service: str, region: str) -> str:
    """The endpoint that botocore builds."""
    return boto3.client(service, region_name=region).meta.endpoint_url


@pytest.fixture(autouse=True)
def _alone(fake_aws, monkeypatch):
    for name in ("COST_EXPLORER", "STS"):
        monkeypatch.delenv(f"AWS_ENDPOINT_URL_{name}")
    yield
    assert fake_aws.count() == 0


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("with_role", [False, True])
def test_endpoints_are_those_of_the_region(monkeypatch, region, service, with_role):
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    role = role_in(REGIONS[region]) if with_role else None
    client = AwsSession(AccountConfig(name="a", role_arn=role)).client(service)
    assert client.meta.endpoint_url == built(service, region)


@pytest.mark.parametrize("partition", SERVING)
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("region", [None, "us-east-1", "cn-north-1"])
def test_a_role_of_another_partition_has_the_endpoints_of_its_own(
    monkeypatch, partition, service, region
):
    if region is not None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    client = AwsSession(AccountConfig(name="a", role_arn=role_in(partition))).client(service)
    own = region if region and REGIONS[region] == partition else SERVING[partition]
    assert client.meta.endpoint_url == built(service, own)


def test_without_a_region_it_is_the_commercial_partition():
    client = AwsSession(AccountConfig(name="a")).client("ce")
    assert client.meta.endpoint_url == "https://ce.us-east-1.amazonaws.com"


@pytest.mark.parametrize("region", ["xx-new-1", "eu-new-9"])
def test_a_region_that_is_not_known_yet_is_used_as_it_is(monkeypatch, region):
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    account = AccountConfig(name="a", role_arn=role_in("aws"))
    assert region in AwsSession(account).client("s3").meta.endpoint_url


def test_a_role_of_a_partition_that_is_not_known_yet_works_in_the_region(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    account = AccountConfig(name="a", role_arn=role_in("aws-new"))
    assert "eu-west-1" in AwsSession(account).client("s3").meta.endpoint_url


@pytest.mark.parametrize("partition", SERVING)
@pytest.mark.parametrize("with_profile", [False, True])
def test_the_role_of_a_pod_or_profile_says_which_partition_it_is(
    monkeypatch, tmp_path, partition, with_profile
):
    token = tmp_path / "token"
    if with_profile:
        config = tmp_path / "config"
        config.write_text(
            f"[default]\nrole_arn = {role_in(partition)}\nweb_identity_token_file = {token}\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    else:
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
        monkeypatch.setenv("AWS_ROLE_ARN", role_in(partition))
    client = AwsSession(AccountConfig(name="a")).client("ce")
    assert client.meta.endpoint_url == built("ce", SERVING[partition])


@pytest.mark.parametrize("role", ["mlguard", "arn", "arn:", ""])
def test_a_mistyped_role_of_a_pod_is_no_partition(monkeypatch, role):
    monkeypatch.setenv("AWS_ROLE_ARN", role)
    client = AwsSession(AccountConfig(name="a")).client("ce")
    assert client.meta.endpoint_url == built("ce", "us-east-1")


class Asked:
    """Where a role was assumed: the region that the request is signed for."""

    def __init__(self, fake, monkeypatch) -> None:
        for name in ("COST_EXPLORER", "STS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", fake.url)
        self.fake = fake

    def regions(self, partition: str) -> list[str]:
        self.fake.roles.add(role_in(partition))
        account = AccountConfig(name="a", role_arn=role_in(partition))
        AwsSession(account).client("ce").list_cost_allocation_tags()
        scopes = [request.headers["Authorization"] for request in self.fake.requests]
        self.fake.requests.clear()
        return [re.search(r"Credential=[^/]+/\d+/([^/]+)/", scope)[1] for scope in scopes]


@pytest.mark.parametrize("partition", SERVING)
def test_a_role_is_assumed_in_its_own_partition(fake_aws, monkeypatch, partition):
    assert Asked(fake_aws, monkeypatch).regions(partition) == [SERVING[partition]] * 2


def test_a_region_of_the_partition_is_kept(fake_aws, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-gov-east-1")
    assert Asked(fake_aws, monkeypatch).regions("aws-us-gov") == ["us-gov-east-1"] * 2
