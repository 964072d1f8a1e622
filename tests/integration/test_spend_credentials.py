"""Credentials that fail are reported as what they are, by the daemon and by `check`."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from support import aws
from support.aws import ROLE, Bill, Failure, FakeAws
from support.setup_command import Command
from support.spending import Spending

from mlguard_exporter.config import AccountConfig, TagsConfig
from mlguard_exporter.sources import SourceError
from mlguard_exporter.sources.aws import AwsSession
from mlguard_exporter.sources.aws.billing_export import BillingExportSource
from mlguard_exporter.sources.aws.credentials import CredentialError, explained
from mlguard_exporter.sources.aws.errors import describe_error
from mlguard_exporter.spend import Basis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2027, 5, 11, 6, tzinfo=UTC)
SECRET = "hunter2"
WEB_IDENTITY = "AssumeRoleWithWebIdentity"


@dataclass
class Place:
    """A machine with credentials of one kind."""

    fake: FakeAws
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def token(self, content: str | None = "web-token") -> Path:
        """A pod with a web identity."""
        path = self.folder / "token"
        if content is not None:
            path.write_text(content)
        self.env |= {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": ROLE}
        return path

    def process(self, code: str) -> None:
        """A profile with a program that prints credentials."""
        program = self.folder / "program.py"
        program.write_text(code)
        self.profile(f"credential_process = {sys.executable} {program} --password {SECRET}\n")

    def profile(self, settings: str) -> None:
        config = self.folder / "aws-config"
        config.write_text(f"[default]\n{settings}")
        self.env |= {"AWS_CONFIG_FILE": str(config)}

    def refuse(self, code: str, message: str, status: int = 400) -> None:
        self.token()
        self.fake.fail(9, Failure(code, message, status), WEB_IDENTITY)


def printing(text: str) -> str:
    return f"print({text!r})"


KEYS = {"AccessKeyId": aws.ACCESS_KEY, "SecretAccessKey": aws.SECRET_KEY}
PROCESS = "the program of `credential_process` "
BY_HAND = "Run it by hand as the exporter's user"


@dataclass(frozen=True)
class Case:
    """Credentials that fail, and what is said of them."""

    make: Callable[[Place], object]
    found: str
    to_do: str


CASES = {
    "token missing": Case(
        lambda place: place.token(None),
        "token cannot be read: No such file or directory",
        "annotate its service account with eks.amazonaws.com/role-arn",
    ),
    "token is a folder": Case(
        lambda place: place.token(None).mkdir(),
        "token cannot be read: Is a directory",
        "elsewhere correct AWS_WEB_IDENTITY_TOKEN_FILE",
    ),
    "token empty": Case(
        lambda place: place.token(""), "token holds no token", "start the pod again"
    ),
    "token no text": Case(
        lambda place: place.token().write_bytes(b"\xff\xfe\xff"),
        "token cannot be read: it is no text",
        "start the pod again",
    ),
    "token of another cluster": Case(
        lambda place: place.token("another-token"),
        "AWS does not accept the web identity token (No OpenIDConnect provider found",
        "create an identity provider for the cluster's OIDC issuer",
    ),
    "token expired": Case(
        lambda place: place.refuse("ExpiredTokenException", "Token expired: current date/time"),
        "the web identity token has expired",
        "Have AWS_WEB_IDENTITY_TOKEN_FILE name the file that Kubernetes mounts",
    ),
    "web identity denied": Case(
        lambda place: place.refuse(
            "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403
        ),
        "the web identity may not assume the role of AWS_ROLE_ARN",
        "trust policy must allow sts:AssumeRoleWithWebIdentity",
    ),
    "region disabled": Case(
        lambda place: place.refuse(
            "RegionDisabledException", "STS is not activated in this region for account:1", 403
        ),
        "AWS STS is not active in this region",
        "set AWS_DEFAULT_REGION to a region where it is",
    ),
    "identity provider silent": Case(
        lambda place: place.refuse("IDPCommunicationError", "Error communicating"),
        "AWS cannot reach the cluster's identity provider",
        "OIDC issuer is public",
    ),
    "web identity without a role": Case(
        lambda place: (place.token(), place.env.pop("AWS_ROLE_ARN")),
        "AWS's configuration is not complete",
        "Correct the profile",
    ),
    "program without JSON": Case(
        lambda place: place.process(printing(f"no JSON {SECRET}")),
        f"{PROCESS}does not print JSON",
        BY_HAND,
    ),
    "program that prints a list": Case(
        lambda place: place.process(printing(f'["{SECRET}"]')),
        f"{PROCESS}prints JSON that is not as AWS defines it",
        BY_HAND,
    ),
    "program without a version": Case(
        lambda place: place.process(printing(json.dumps(KEYS))),
        f"{PROCESS}gives no credentials",
        BY_HAND,
    ),
    "program with a time that is none": Case(
        lambda place: place.process(
            printing(json.dumps(KEYS | {"Version": 1, "Expiration": SECRET, "SessionToken": "t"}))
        ),
        f"{PROCESS}prints JSON that is not as AWS defines it",
        BY_HAND,
    ),
    "program that fails": Case(
        lambda place: place.process(f"import sys; sys.exit('wrong password {SECRET}')"),
        f"{PROCESS}gives no credentials",
        BY_HAND,
    ),
    "program missing": Case(
        lambda place: place.profile(f"credential_process = /nonexistent/program {SECRET}\n"),
        f"{PROCESS}cannot be run (No such file or directory)",
        BY_HAND,
    ),
    "profile of another that is missing": Case(
        lambda place: place.profile(f"role_arn = {ROLE}\nsource_profile = nobody\n"),
        "AWS's configuration is not complete",
        "Correct the profile",
    ),
    "address of STS": Case(
        lambda place: (place.token(), place.env.update(AWS_ENDPOINT_URL_STS="no address")),
        "Invalid endpoint: no address",
        "Correct the variables AWS_ENDPOINT_URL",
    ),
}


@pytest.fixture
def fake():
    with FakeAws() as fake:
        cost = [Decimal(5)] * 3
        fake.bills = [
            Bill(NOW.date() - timedelta(days=n), {}, "SageMaker", "Usage", *cost) for n in range(9)
        ]
        yield fake


@pytest.fixture
def place(fake, tmp_path, monkeypatch):
    """Without keys in variables; botocore's own retries do not wait."""
    made = Place(fake, tmp_path, fake.env() | {"AWS_MAX_ATTEMPTS": "1"})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del made.env[name]
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return made


def use(monkeypatch, place: Place) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", CASES)
def test_the_daemon_says_what_is_wrong_with_credentials(place, monkeypatch, caplog, name):
    case = CASES[name]
    case.make(place)
    use(monkeypatch, place)
    place.fake.clock = lambda: NOW
    with Spending(place.folder / "data", NOW) as spending:
        spending.tick()
        assert spending.value("mlguard_cost_up") == 0
        assert spending.value("mlguard_cost_api_spend_usd_total") == 0
    (record,) = [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    message = record.getMessage()
    assert message.startswith("main: spend is not read: ")
    assert "\n" not in message
    for text in (case.found, case.to_do):
        assert text.lower() in message.lower()
    for text in ("stored", "bug", SECRET, "web-token", "another-token", "ASIA"):
        assert text not in message
    assert not record.exc_info


@pytest.mark.parametrize("name", CASES)
def test_check_says_what_is_wrong_with_credentials(place, name):
    case = CASES[name]
    case.make(place)
    command = Command(place.fake, place.folder)
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del command.environ[key]
    command.environ |= place.env
    run = command("check")
    assert (run.status, run.err) == (1, "")
    assert "All is well" not in run.out
    assert run.out.count("missing  ") + run.out.count("unknown  ") == 1
    found, _, to_do = run.out.partition("To do")
    assert case.found in found
    assert case.to_do in to_do
    assert "2. " not in to_do
    assert SECRET not in run.out


@pytest.mark.parametrize("with_role", [False, True])
def test_a_web_identity_is_used_and_its_renewal_is_explained(place, monkeypatch, with_role):
    token = place.token()
    use(monkeypatch, place)
    place.fake.session_seconds = 300  # which boto3 takes for as good as over
    account = AccountConfig(name="main", role_arn=ROLE if with_role else None)
    client = AwsSession(account).client("ce")
    assert client.list_cost_allocation_tags()["CostAllocationTags"]
    assert place.fake.count(WEB_IDENTITY) >= 1
    token.unlink()
    with pytest.raises(CredentialError, match="No such file or directory; in a Kubernetes pod"):
        client.list_cost_allocation_tags()


def test_a_token_that_may_not_be_read(place, monkeypatch):
    token = place.token()
    use(monkeypatch, place)
    session = boto3.Session()._session
    with pytest.raises(CredentialError, match=r"securityContext\.fsGroup"), explained(session):
        raise PermissionError(13, "Permission denied", str(token))


def test_an_address_of_cost_explorer_that_is_none(fake, tmp_path, monkeypatch, caplog):
    for name, value in (fake.env() | {"AWS_ENDPOINT_URL_COST_EXPLORER": "no address"}).items():
        monkeypatch.setenv(name, value)
    with Spending(tmp_path, NOW) as spending:
        spending.tick()
        assert spending.value("mlguard_cost_up") == 0
    assert "spend is not read: Invalid endpoint: no address; correct the variables" in caplog.text
    assert "bug" not in caplog.text


MEMBER = Failure("AccessDeniedException", "Linked account is not allowed to access Cost Explorer")


def test_a_member_account_without_cost_explorer(fake, tmp_path, monkeypatch, caplog):
    fake.fail(9, MEMBER, "GetCostAndUsage")
    run = Command(fake, tmp_path)("check")
    assert run.status == 1
    assert "missing  spend: this is a member account, and the account that pays gives it" in run.out
    assert "1. Have Linked account access turned on there" in run.out
    assert "tags are managed" not in run.out
    for name, value in fake.env().items():
        monkeypatch.setenv(name, value)
    with Spending(tmp_path / "data", NOW) as spending:
        spending.tick()
        assert spending.value("mlguard_cost_up") == 0
    assert "have Linked account access turned on there" in caplog.text


KEY = "arn:aws:kms:eu-west-1:111111111111:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"


def test_a_key_that_may_not_be_used():
    message = (
        f"User: {aws.USER} is not authorized to perform: kms:Decrypt on resource: {KEY} because no"
        " identity-based policy allows the kms:Decrypt action"
    )
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, "GetObject")
    text = describe_error(error)
    assert text.startswith(f"{aws.USER} may not kms:Decrypt with the key {KEY}, which encrypts")
    assert "iam-policy.json" not in text


def test_a_bucket_whose_key_may_not_be_used_is_reported_as_that(monkeypatch):
    message = f"User: {aws.USER} is not authorized to perform: kms:Decrypt on resource: {KEY}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.SECRET_KEY)
    account = AccountConfig(name="main")

    def client(service: str):
        made = AwsSession(account).client(service)
        made.meta.events.register("before-call.s3", lambda **_: answer(403, message))
        return made

    def answer(status: int, text: str):
        http = type("Answer", (), {"status_code": status, "headers": {}})()
        return http, {
            "Error": {"Code": "AccessDenied", "Message": text},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }

    source = BillingExportSource("s3://bills/cur", TagsConfig(), Basis.UNBLENDED, client)
    with pytest.raises(SourceError) as caught:
        list(source.read(NOW.date().replace(day=1), NOW.date(), ()))
    assert "s3://bills/cur: " in str(caught.value)
    assert "may not kms:Decrypt with the key" in str(caught.value)
    assert "s3:ListBucket" not in str(caught.value)
