"""Errors of AWS are reported in plain words."""

from __future__ import annotations

import boto3
import pytest
from botocore import exceptions as boto
from botocore.config import Config
from botocore.exceptions import ClientError
from support import aws
from support.aws import ROLE, USER, Failure, FakeAws
from support.sidecar import free_port

from mlguard_exporter.sources import SourceError
from mlguard_exporter.sources.aws.errors import (
    denied_action,
    describe_error,
    is_linked_account,
    is_unseen_tag,
    outcome_of,
)


@pytest.fixture
def fake(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_MAX_ATTEMPTS"):
        monkeypatch.delenv(name, raising=False)
    with FakeAws() as fake:
        for name, value in fake.env().items():
            monkeypatch.setenv(name, value)
        yield fake


def client(service: str = "ce", **config):
    settings = {"retries": {"total_max_attempts": 1}, "read_timeout": 10} | config
    return boto3.Session().client(service, region_name="us-east-1", config=Config(**settings))


def failure_of(call) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever boto3 raises
        call()
    return caught.value


def list_tags() -> None:
    client().list_cost_allocation_tags()


ANSWERS = {
    "denied": (
        aws.denied("ce:GetCostAndUsage"),
        "denied",
        [USER, "may not ce:GetCostAndUsage", "exporter/iam-policy.json"],
    ),
    "explicitly denied": (
        Failure(
            "AccessDeniedException",
            f"User: {USER} is not authorized to perform: ce:GetTags on resource: * with an explicit"
            " deny in a service control policy",
        ),
        "denied",
        [USER, "may not ce:GetTags", "the whole organization"],
    ),
    "denied without a name": (
        Failure("AccessDeniedException", "Access denied"),
        "denied",
        ["these credentials may not ListCostAllocationTags"],
    ),
    "not enabled": (
        Failure("AccessDeniedException", "User not enabled for cost explorer access"),
        "denied",
        ["open it once in the AWS console of the account that pays", "24 hours"],
    ),
    "expired": (aws.EXPIRED, "expired", ["expired", "aws sso login"]),
    "unknown key": (aws.UNRECOGNIZED, "denied", ["does not know the credentials"]),
    "signature": (
        Failure("InvalidSignatureException", "Signature expired: 20260101 is now earlier"),
        "denied",
        ["clock"],
    ),
    "skewed": (Failure("RequestTimeTooSkewed", "too large", 403), "denied", ["clock"]),
    "throttled": (aws.THROTTLED, "throttled", ["try again later"]),
    "limit": (aws.LIMIT_EXCEEDED, "throttled", ["try again later"]),
    "no data": (aws.DATA_UNAVAILABLE, "unavailable", ["no figures yet", "24 hours"]),
    "bills gone": (Failure("BillExpirationException", "expired"), "invalid", ["does not keep"]),
    "page": (aws.INVALID_TOKEN, "invalid", ["between two pages"]),
    "opt in": (Failure("OptInRequired", "needs a subscription", 403), "denied", ["not signed up"]),
    "invalid": (
        Failure("ValidationException", "Start date\nshould be before end date"),
        "invalid",
        ["ListCostAllocationTags (ValidationException): Start date should be before end date"],
    ),
    "server": (aws.server_error, "server_error", ["an internal error (500)"]),
    "unavailable": (Failure("ServiceUnavailable", "", 503), "unavailable", ["internal error"]),
    "new": (
        Failure("BrandNewException", "What is\tthis"),
        "error",
        ["AWS refuses ListCostAllocationTags (BrandNewException): What is this"],
    ),
    "bucket": (Failure("NoSuchBucket", "The bucket", 404), "invalid", ["no such S3 bucket"]),
    "no answer": (aws.no_answer, "connection", ["closed the connection"]),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_of_aws(fake, name):
    fault, outcome, texts = ANSWERS[name]
    fake.fail(1, fault)
    error = failure_of(list_tags)
    assert outcome_of(error) == outcome
    reported = describe_error(error)
    assert reported.isprintable()
    assert "\n" not in reported
    for text in texts:
        assert text in reported


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("denied", "ce:GetCostAndUsage"),
        ("denied without a name", "ListCostAllocationTags"),
        ("explicitly denied", None),
        ("not enabled", None),
        ("opt in", None),
        ("throttled", None),
        ("no answer", None),
    ],
)
def test_actions_that_a_policy_would_allow(fake, name, action):
    fake.fail(1, ANSWERS[name][0])
    assert denied_action(failure_of(list_tags)) == action


def test_a_role_that_cannot_be_assumed(fake):
    fake.external_id = "right-external-id"
    error = failure_of(
        lambda: client("sts").assume_role(
            RoleArn=ROLE, RoleSessionName="us", ExternalId="wrong-external-id"
        )
    )
    assert outcome_of(error) == "denied"
    reported = describe_error(error)
    assert f"{USER} may not assume the role {ROLE};" in reported
    assert "trust policy" in reported
    assert "`external_id`" in reported
    assert "external-id" not in reported


def test_a_key_that_aws_does_not_know(fake, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONGWRONGWRONG1")
    for service, call in (("sts", "get_caller_identity"), ("ce", "list_cost_allocation_tags")):
        error = failure_of(getattr(client(service), call))
        assert outcome_of(error) == "denied"
        assert "does not know the credentials" in describe_error(error)
    assert fake.count() == 2


def test_a_linked_account_and_a_tag_that_aws_has_not_seen(fake):
    update = [{"TagKey": "team", "Status": "Active"}]
    error = failure_of(
        lambda: client().update_cost_allocation_tags_status(CostAllocationTagsStatus=update)
    )
    assert is_unseen_tag(error)
    assert not is_linked_account(error)
    assert "Tag keys not found: team; tag a resource" in describe_error(error)
    fake.linked = True
    error = failure_of(list_tags)
    assert is_linked_account(error)
    assert not is_unseen_tag(error)
    assert "the account that pays" in describe_error(error)


def test_a_second_backfill(fake):
    first = fake.today.replace(day=1).isoformat() + "T00:00:00Z"
    client().start_cost_allocation_tag_backfill(BackfillFrom=first)
    error = failure_of(lambda: client().start_cost_allocation_tag_backfill(BackfillFrom=first))
    assert outcome_of(error) == "throttled"
    assert "once in 24 hours" in describe_error(error)


def test_no_credentials(fake, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = failure_of(list_tags)
    assert outcome_of(error) == "denied"
    assert "no AWS credentials are found" in describe_error(error)
    assert fake.count() == 0


def test_half_of_the_credentials(fake, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "not complete: env lacks AWS_SECRET_ACCESS_KEY" in describe_error(failure_of(list_tags))
    assert fake.count() == 0


@pytest.mark.usefixtures("fake")
def test_a_profile_that_does_not_exist():
    error = failure_of(lambda: boto3.Session(profile_name="nobody"))
    assert "no AWS profile nobody" in describe_error(error)


def test_a_login_that_has_expired(fake, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "[profile sso]\nsso_start_url = https://example.org\nsso_region = us-east-1\n"
        "sso_account_id = 111111111111\nsso_role_name = reader\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    error = failure_of(
        lambda: boto3.Session(profile_name="sso").client("sts").get_caller_identity()
    )
    assert outcome_of(error) == "expired"
    assert "aws sso login" in describe_error(error)
    assert fake.count() == 0


def test_nobody_listens(fake, monkeypatch):
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_COST_EXPLORER", url)
    error = failure_of(list_tags)
    assert outcome_of(error) == "connection"
    assert f"{url}/ cannot be reached" in describe_error(error)
    assert fake.count() == 0


def test_an_answer_that_does_not_come(fake):
    fake.fail(1, aws.Slow())
    error = failure_of(client(read_timeout=0.1).list_cost_allocation_tags)
    assert outcome_of(error) == "timeout"
    assert "does not answer in time" in describe_error(error)


@pytest.mark.parametrize(
    ("error", "outcome", "text"),
    [
        (boto.ConnectTimeoutError(endpoint_url="https://ce/"), "timeout", "https://ce/ cannot be"),
        (boto.ProxyConnectionError(proxy_url="http://u:pw@h"), "connection", "HTTPS_PROXY"),
        (boto.SSLError(endpoint_url="https://ce/", error="x"), "connection", "AWS_CA_BUNDLE"),
        (boto.HTTPClientError(error="broken"), "connection", "broke"),
        (boto.ConfigNotFound(path="/etc/aws/config"), "denied", "/etc/aws/config cannot be read"),
        (boto.UnauthorizedSSOTokenError(), "expired", "aws sso login"),
        (boto.LoginRefreshRequired(), "expired", "aws login"),
        (boto.TokenRetrievalError(provider="sso", error_msg="x"), "expired", "aws sso login"),
        (boto.RefreshWithMFAUnsupportedError(), "denied", "multi-factor"),
        (
            boto.MetadataRetrievalError(error_msg="no\nluck"),
            "error",
            "gives no credentials (no luck)",
        ),
        (SourceError("text of ours " * 50), "error", "text of ours " * 49),
        (ValueError(), "error", "ValueError"),
    ],
)
def test_what_boto3_raises_of_itself(error, outcome, text):
    assert outcome_of(error) == outcome
    reported = describe_error(error)
    assert text in reported
    assert "pw" not in reported


def test_secrets_are_not_shown():
    key, secret = "ASIAABCDEFGHIJKLMNOP", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    reported = describe_error(
        ClientError(
            {
                "Error": {
                    "Code": "Odd",
                    "Message": f"key {key} secret {secret} of {ROLE}/{'x' * 40}",
                }
            },
            "GetTags",
        )
    )
    assert key not in reported
    assert secret not in reported
    assert ROLE in reported
    assert secret not in describe_error(
        boto.CredentialRetrievalError(provider="custom-process", error_msg=f"printed {secret}")
    )


def test_a_long_message_is_cut():
    error = ClientError({"Error": {"Code": "Odd", "Message": "word " * 1000}}, "GetTags")
    assert len(describe_error(error)) < 300


def test_an_error_without_anything():
    assert outcome_of(ClientError({}, "GetTags")) == "error"
    assert "GetTags" in describe_error(ClientError({}, "GetTags"))
