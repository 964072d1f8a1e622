"""The commands that set up AWS; those with a terminal or a pipe run in a process of their own."""

from __future__ import annotations

import socket
import subprocess
import threading
from datetime import datetime, time, timedelta
from decimal import Decimal

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer
from support import aws
from support.aws import ROLE, USER, Bill, FakeAws
from support.billing import Charge, MonthFiles, cur_csv
from support.setup_command import Command, Run
from support.sidecar import free_port

from mlguard_common.database import open_to_read
from mlguard_exporter.polling import load_poll_state
from mlguard_exporter.store import DATABASE

PROJECT, MODEL, ENDPOINT = TAGS = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
COST_EXPLORER = "Cost Explorer"


@pytest.fixture
def fake():
    with FakeAws() as fake:
        days = [fake.today - timedelta(days=n) for n in range(3)]
        owner = dict(zip(TAGS, "pme", strict=True))
        fake.bills = [Bill(d, owner, "SageMaker", "Usage", *[Decimal("12.345")] * 3) for d in days]
        yield fake


@pytest.fixture
def command(fake, tmp_path):
    return Command(fake, tmp_path)


def lines(run: Run) -> list[str]:
    return [" ".join(line.split()) for line in run.out.splitlines()]


def operations(fake: FakeAws) -> list[str]:
    return [request.operation for request in fake.requests]


def changes(fake: FakeAws) -> int:
    return fake.count("UpdateCostAllocationTagsStatus") + fake.count(
        "StartCostAllocationTagBackfill"
    )


@pytest.mark.parametrize("how", ["in this process", "in its own"])
def test_all_is_well(command, fake, how):
    run = command.in_a_process if how == "in its own" else command.bare
    run = run("check", "--config", str(command.config))
    assert run == (0, run.out, "")
    assert "Account main" in run.out
    found = lines(run)
    assert f"ok credentials: {USER} of AWS account {aws.ACCOUNT}" in found
    assert any("ok spend" in line and "cost 12.3" in line and "USD" in line for line in found)
    assert "ok payer: this account manages its tags" in found
    for tag in TAGS:
        assert f"ok tag {tag}: active, and on spend of the last 30 days" in found
    assert "3 requests to Cost Explorer, $0.03 at most" in found
    assert "All is well." in found
    assert "To do" not in found
    assert operations(fake) == [
        "GetCallerIdentity", "GetCostAndUsage", "ListCostAllocationTags", "GetTags"
    ]  # fmt: skip


def test_no_account_is_configured(command):
    run = command.bare("check")
    assert run.status == 1
    assert "No account is configured" in run.out
    assert f"ok       credentials: {USER}" in run.out
    config = yaml.safe_load(run.out[run.out.index("cost:\n") :].partition("\n\n")[0])
    assert config == {"cost": {"accounts": [{"name": "main"}]}}
    assert "Then check again: mlguard-exporter check" in run.out


class Silent:
    """A metadata service that takes connections and never answers."""

    def __init__(self) -> None:
        self.connections: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/"

    def _accept(self) -> None:
        try:
            while True:
                self.connections.append(self.listener.accept()[0])
        except OSError:
            return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()


def test_no_credentials_at_all(command, fake):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        del command.environ[name]
    silent = Silent()
    try:
        command.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = silent.url
        run = command("check")
        assert 1 <= len(silent.connections) <= 2
    finally:
        silent.close()
    assert run == (1, run.out, "")
    assert "missing  credentials: no AWS credentials are found on this machine" in run.out
    for way in ("aws sso login", "aws configure", "role of the instance", "exporter/iam-policy"):
        assert way in run.out
    assert COST_EXPLORER not in run.out
    assert fake.count() == 0


def test_a_profile_that_does_not_exist(command, fake):
    command.configure({"name": "main", "profile": "nobody"}, {"name": "other"})
    run = command("check")
    assert run.status == 1
    assert "missing  credentials: there is no AWS profile nobody" in run.out
    assert "aws configure list-profiles" in run.out
    assert "Account other" in run.out
    assert fake.count("GetTags") == 1


def test_denied_requests_are_reported_with_the_policy_that_allows_them(command, fake):
    fake.denied = {"ce:GetCostAndUsage", "ce:GetTags"}
    run = command("check")
    assert run.status == 1
    assert "missing  spend: the credentials may not ce:GetCostAndUsage" in run.out
    assert "missing  tags on spend: the credentials may not ce:GetTags" in run.out
    assert f"ok       tag {PROJECT}: active" in run.out
    assert '"Action": ["ce:GetCostAndUsage", "ce:GetTags"]' in run.out
    fake.denied.add("ce:ListCostAllocationTags")
    run = command("check")
    assert f"unknown  tag {PROJECT}: AWS does not say whether it is active" in run.out


def test_a_tag_that_is_inactive(command, fake):
    fake.active_tags.discard(MODEL)
    run = command("check")
    assert run.status == 1
    assert f"missing  tag {MODEL}: inactive" in run.out
    assert f"mlguard-exporter activate-tags --config {command.config}" in run.out
    assert changes(fake) == 0


def test_a_tag_that_aws_does_not_know_and_one_that_nothing_carries(command, fake):
    fake.known_tags.discard(ENDPOINT)
    fake.bills = [
        Bill(b.day, {PROJECT: "p"}, b.service, b.record_type, b.unblended, b.amortized, Decimal(0))
        for b in fake.bills
    ]
    run = command("check")
    assert run.status == 1
    assert f"ok       tag {PROJECT}" in run.out
    assert f"missing  tag {MODEL}: active, but on no spend of the last 30 days" in run.out
    assert f"missing  tag {ENDPOINT}: AWS has not seen it yet" in run.out
    assert f"with {MODEL} and {ENDPOINT}." in run.out
    assert "24 hours" in run.out


def test_tags_on_many_pages_are_found(command, fake):
    fake.page_size = 1
    fake.active_tags |= {"a", "b"}
    fake.bills += [
        Bill(b.day, {"a": "1", "b": "2"}, "EC2", "Usage", *[Decimal(1)] * 3) for b in fake.bills
    ]
    run = command("check")
    assert fake.count("GetTags") == 5
    assert "7 requests to Cost Explorer, $0.07 at most" in run.out
    assert run.status == 0


def test_an_account_that_another_one_pays_for(command, fake):
    fake.linked = True
    run = command("check")
    assert run.status == 0
    assert "another account pays" in run.out
    assert f"ok       tag {PROJECT}: on spend of the last 30 days, so it is active" in run.out
    fake.active_tags.discard(MODEL)
    run = command("check")
    assert run.status == 1
    assert f"unknown  tag {MODEL}: on no spend of the last 30 days" in run.out
    assert "credentials of the AWS account that pays" in run.out
    for name in ("activate-tags", "backfill"):
        run = command(name, "--yes")
        assert run.status == 1
        assert "the account that pays" in run.out
    assert fake.count("UpdateCostAllocationTagsStatus") == 0


def test_cost_explorer_is_not_enabled(command, fake):
    fake.enabled = False
    run = command("check")
    assert run.status == 1
    assert "missing  spend: Cost Explorer is not enabled" in run.out
    assert "Open it once in the AWS console" in run.out
    assert fake.count("GetTags") == 0


def test_a_role(command, fake):
    fake.external_id = "right-external-id"
    account = {"name": "main", "role_arn": ROLE, "external_id": "right-external-id"}
    command.configure(account)
    run = command("check")
    assert run.status == 0
    assert ":assumed-role/mlguard/" in run.out
    command.configure(account | {"external_id": "wrong-external-id"})
    run = command("check")
    assert run == (1, run.out, "")
    assert f"missing  role: {USER} may not assume the role {ROLE}" in run.out
    assert "trust policy" in run.out
    assert "`external_id`" in run.out


def test_credentials_that_have_expired(command, fake):
    fake.fail(1, aws.Failure("ExpiredToken", "The security token is expired", 403))
    run = command("check")
    assert run.status == 1
    assert "missing  credentials: the credentials have expired" in run.out
    assert "aws sso login" in run.out
    assert fake.count() == 1
    fake.fail(1, aws.EXPIRED, "GetCostAndUsage")
    run = command("check")
    assert "missing  spend: the credentials have expired" in run.out
    assert fake.count("GetTags") == 0


def test_nobody_is_reached(command, fake):
    for service in ("STS", "COST_EXPLORER"):
        command.environ[f"AWS_ENDPOINT_URL_{service}"] = f"http://127.0.0.1:{free_port()}"
    run = command("check")
    assert run.status == 1
    assert "unknown  spend: http://127.0.0.1:" in run.out
    assert "cannot be reached" in run.out
    assert fake.count() == 0
    command.environ["AWS_ENDPOINT_URL_STS"] = "no address"
    run = command("check")
    assert run.status == 1
    assert "no address" in run.out


@pytest.mark.parametrize("operation", ["GetCostAndUsage", "ListCostAllocationTags", "GetTags"])
@pytest.mark.parametrize("fault", [aws.cut_body, aws.empty_object, aws.server_error])
def test_answers_that_are_none(command, fake, operation, fault):
    fake.fail(5, fault, operation)
    run = command("check")
    assert run == (1, run.out, "")
    assert "try again" in run.out.lower()


def test_something_else_that_answers(command, fake):
    fake.fail(5, lambda handler: handler.answer(200, b"<html>hello", "text/html"))
    assert "1. Is something else listening there?\n" in command("check").out


def test_figures_that_are_not_there_yet(command, fake):
    fake.fail(5, aws.DATA_UNAVAILABLE, "GetCostAndUsage")
    run = command("check")
    assert run.status == 1
    assert "unknown  spend: AWS has no figures yet" in run.out


def export_file(fake: FakeAws) -> bytes:
    start = datetime.combine(fake.today, time())
    return cur_csv([Charge(start, "Usage", tags=dict(zip(TAGS, "pme", strict=True)))])


def test_spend_that_is_absent(command, fake):
    zero = [Decimal(0)] * 3
    fake.bills = [Bill(fake.today - timedelta(days=9), {}, "S3", "Usage", *zero)]
    run = command("check")
    assert "ok       spend: Cost Explorer answers; " in run.out
    assert "4 requests to Cost Explorer, $0.04 at most" in run.out
    fake.bills = [Bill(b.day, {}, "S3", "Tax", *[Decimal(9)] * 3) for b in fake.bills]
    run = command("check")
    first = fake.today - timedelta(days=14)
    assert f"unknown  spend: Cost Explorer answers; no usage yet since {first}" in run.out


@pytest.mark.parametrize("kind", [None, "Credit", "Tax"])
def test_an_account_without_usage_yet_is_no_failure(command, fake, kind):
    fake.bills = [
        Bill(fake.today - timedelta(days=1), {}, "S3", kind, *[Decimal(-3)] * 3)
        for _ in [1]
        if kind
    ]
    fake.known_tags.discard(ENDPOINT)
    run = command("check")
    assert run == (0, run.out, "")
    assert "unknown  spend: Cost Explorer answers; no usage yet since" in run.out
    assert f"unknown  tag {ENDPOINT}: AWS has not seen it yet" in run.out
    assert "1. Wait a day, if the account is new" in run.out
    assert "If there should be spend, use credentials of the AWS account that has it" in run.out
    assert "All is well" not in run.out
    fake.active_tags.discard(MODEL)
    assert command("check").status == 1


def test_an_account_whose_spend_is_in_a_bucket(command, fake):
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        command.environ["AWS_ENDPOINT_URL_S3"] = url = f"http://{host}:{port}"
        s3 = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=aws.ACCESS_KEY,
            aws_secret_access_key=aws.SECRET_KEY,
        )
        s3.create_bucket(Bucket="bills")
        command.configure({"name": "main", "export": "s3://bills/ours/"})
        run = command("check")
        assert run.status == 1
        assert f"ok       credentials: {USER}" in run.out
        assert "missing  export: s3://bills/ours" in run.out
        assert "nothing is there" in run.out

        def put(name: str, content: bytes) -> None:
            s3.put_object(Bucket="bills", Key=f"ours/spend/{name}", Body=content)

        MonthFiles(put, fake.today).write(export_file(fake))
        run = command("check")
        assert run == (0, run.out, "")
        assert "ok       export: 1 month is there" in run.out
        command.configure({"name": "main", "export": "s3://nowhere"})
        run = command("check")
        assert run.status == 1
        assert "there is no such S3 bucket" in run.out
    finally:
        moto.stop()
    assert operations(fake) == ["GetCallerIdentity"] * 3


def test_one_account_of_several(command, fake):
    command.configure({"name": "a"}, {"name": "b"})
    run = command("check", "--account", "b")
    assert run.status == 0
    assert "Account a" not in run.out
    assert fake.count("GetTags") == 1
    run = command("check", "--account", "c")
    assert run == (2, "", "mlguard-exporter: --account: found c, expected one of a, b\n")


@pytest.mark.parametrize("name", ["activate-tags", "backfill"])
def test_without_a_terminal_nothing_is_changed(command, fake, name):
    run = command(name)
    assert run.status == 2
    assert not run.out
    assert "--yes" in run.err
    assert run.err.count("\n") == 1
    assert fake.count() == 0


@pytest.mark.parametrize("name", ["activate-tags", "backfill"])
def test_a_dry_run_changes_nothing(command, fake, name):
    fake.active_tags.discard(MODEL)
    run = command(name, "--dry-run")
    assert run == (0, run.out, "")
    assert "as this is a dry run" in run.out
    assert USER in run.out
    assert MODEL in run.out
    assert changes(fake) == 0
    assert fake.count() <= 3


def test_tags_are_activated(command, fake):
    fake.active_tags.clear()
    run = command("activate-tags", "--yes")
    assert run == (0, run.out, "")
    assert fake.active_tags == set(TAGS)
    for tag in TAGS:
        assert f"ok       tag {tag}: activated" in run.out
    assert "24 to 48 hours" in run.out
    assert f"mlguard-exporter backfill --config {command.config}" in run.out
    assert "2 requests to Cost Explorer" in run.out
    run = command("activate-tags", "--yes")
    assert run.status == 0
    assert "active already" in run.out
    assert fake.count("UpdateCostAllocationTagsStatus") == 1


def test_tags_that_cannot_be_activated(command, fake):
    fake.active_tags = {PROJECT}
    fake.known_tags.discard(ENDPOINT)
    run = command("activate-tags", "--yes")
    assert run.status == 1
    assert f"missing  tag {ENDPOINT}: not known to AWS yet" in run.out
    assert f"with {ENDPOINT}." in run.out
    assert fake.active_tags == {PROJECT, MODEL}

    fake.active_tags = {PROJECT}
    fake.known_tags.add(ENDPOINT)
    fake.tag_errors[ENDPOINT] = "not today"
    run = command("activate-tags", "--yes")
    assert run.status == 1
    assert f"missing  tag {ENDPOINT}: not activated: not today" in run.out
    assert f"ok       tag {MODEL}: activated" in run.out

    fake.active_tags = {PROJECT}
    fake.before = lambda request: fake.known_tags.difference_update(
        {MODEL} if request.operation == "UpdateCostAllocationTagsStatus" else ()
    )
    run = command("activate-tags", "--yes")
    assert run.status == 1
    assert f"Tag keys not found: {MODEL}" in run.out

    fake.denied = {"ce:UpdateCostAllocationTagsStatus"}
    fake.known_tags.add(MODEL)
    run = command("activate-tags", "--yes")
    assert run.status == 1
    assert "may not ce:UpdateCostAllocationTagsStatus" in run.out
    assert "exporter/iam-policy.json" in run.out


def test_a_change_is_confirmed_or_not(command, fake):
    fake.active_tags.discard(MODEL)
    run = command.on_a_terminal("", "activate-tags")
    assert run.status == 1
    assert f"Activate {MODEL}? [y/N] " in run.out
    assert "nothing is changed" in run.out
    assert MODEL not in fake.active_tags
    run = command.on_a_terminal("y", "activate-tags")
    assert (run.status, run.err) == (0, "")
    assert MODEL in fake.active_tags
    assert command.on_a_terminal("no", "backfill").status == 1
    assert not fake.backfills
    run = command.on_a_terminal("yes", "backfill", "--months", "2")
    assert (run.status, run.err) == (0, "")
    assert len(fake.backfills) == 1


def test_the_past_is_split(command, fake):
    run = command("backfill", "--months", "12", "--yes")
    assert run == (0, run.out, "")
    first = fake.today.replace(year=fake.today.year - 1, day=1)
    assert fake.backfills[0]["BackfillFrom"] == f"{first}T00:00:00Z"
    assert f"ok       backfill: begun, since {first}" in run.out
    assert "every tag of the organization" in run.out
    assert "ok       exporter: it reads these days again" in run.out
    db = open_to_read(command.folder / "data" / DATABASE)
    assert load_poll_state(db, "main").history_first == first
    db.conn.close()
    assert "3 requests to Cost Explorer" in run.out

    run = command("backfill", "--yes")
    assert run.status == 1
    assert "is under way" in run.out
    fake.backfills[0]["BackfillStatus"] = "SUCCEEDED"
    run = command("backfill", "--dry-run")
    assert run.status == 1
    assert "ended (succeeded)" in run.out
    assert "once in 24 hours" in run.out or "one in 24 hours" in run.out
    assert fake.count("StartCostAllocationTagBackfill") == 1


def test_the_past_is_not_split_by_tags_that_are_inactive(command, fake):
    fake.active_tags.clear()
    run = command("backfill", "--yes")
    assert run.status == 1
    assert f"mlguard-exporter activate-tags --config {command.config}" in run.out
    assert not fake.backfills


def test_a_second_backfill_at_the_same_time(command, fake):
    limit = aws.Failure("BackfillLimitExceededException", "A request is in progress")
    fake.fail(1, limit, "StartCostAllocationTagBackfill")
    run = command("backfill", "--yes")
    assert run.status == 1
    assert "Try again tomorrow" in run.out


@pytest.mark.parametrize("months", ["0", "13", "x"])
def test_months_have_limits(command, fake, months):
    assert command("backfill", "--months", months, "--yes").status == 2
    assert fake.count() == 0


def test_the_past_is_split_but_the_exporter_cannot_be_notified(command, fake):
    (command.folder / "data").write_text("no folder")
    run = command("backfill", "--yes")
    assert run == (1, run.out, "")
    assert len(fake.backfills) == 1
    assert "missing  exporter: it will not read these days again: " in run.out


def test_flags_may_stand_before_the_command(command):
    run = command.bare("--config", str(command.config), "check")
    assert run.status == 0
    assert "Account main" in run.out


def test_a_reader_that_goes_away(command):
    with subprocess.Popen(
        command.arguments("check", "--config", str(command.config)),
        env=command.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() in (0, 141)
