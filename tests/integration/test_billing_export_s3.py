"""Billing exports on S3: the real boto3 against a server on loopback, its faults included."""

from __future__ import annotations

import random
import socket
import socketserver
import threading
import urllib.request
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer
from support.billing import Charge, MonthFiles, charges, cur_csv, cur_parquet, focus_csv

from mlguard_exporter.config import TagsConfig
from mlguard_exporter.sources import SourceError
from mlguard_exporter.sources.aws.billing_export import BillingExportSource
from mlguard_exporter.spend import Basis, Kind

FEBRUARY, MARCH, APRIL = date(2024, 2, 1), date(2024, 3, 1), date(2024, 4, 1)
ONE = Charge(datetime(2024, 3, 7, 5), "Usage", unblended=Decimal("0.1"))  # noqa: DTZ001
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture(scope="module")
def server():
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """Neither this machine's settings nor its credentials are used."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def connect(endpoint: str, service: str = "s3", **keys):
    return boto3.Session(**keys).client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            read_timeout=20,
            s3={"addressing_style": "path"},
        ),
    )


def tell(server: str, what: str, body: bytes = b"") -> None:
    """Have moto do something to itself."""
    kind = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{server}/moto-api/{what}", body, kind)
    urllib.request.urlopen(request).close()


class Bucket:
    """A bucket with an export, and what is asked of it.

    Attributes:
        got: keys of the objects that were got.
        made: the clients that were asked for.
    """

    def __init__(self, server: str, name: str) -> None:
        self.server = server
        self.name = name
        self.own = connect(server, **KEYS)
        self.own.create_bucket(Bucket=name)
        self.got: list[str] = []
        self.made: list[str] = []
        self.before_get = str

    def put(self, name: str, content: bytes) -> None:
        self.own.put_object(Bucket=self.name, Key=f"bills/spend/{name}", Body=content)

    def month(self, month: date = MARCH, **form) -> MonthFiles:
        return MonthFiles(self.put, month, bucket=f"s3://{self.name}/bills/spend", **form)

    def source(self, path: str = "bills/spend", endpoint: str | None = None) -> BillingExportSource:
        def client(service: str):
            self.made.append(service)
            made = connect(endpoint or self.server, service, **KEYS)
            made.meta.events.register("provide-client-params.s3.GetObject", self._note)
            return made

        return BillingExportSource(
            f"s3://{self.name}/{path}".rstrip("/"), TagsConfig(), Basis.UNBLENDED, client
        )

    def read(self, known=(), first=MARCH, **form):
        return list(self.source(**form).read(first, APRIL, known))

    def refused(self, **asked) -> str:
        with pytest.raises(SourceError) as caught:
            self.read(**asked)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def _note(self, params, **_):
        name = params["Key"].removeprefix("bills/spend/")
        self.got.append(name)
        self.before_get(name)


@pytest.fixture
def bucket(server):
    tell(server, "reset")
    return Bucket(server, "billing")


def local(path, *files: bytes):
    def put(name: str, content: bytes) -> None:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)

    MonthFiles(put, MARCH).write(*files)
    (reading,) = BillingExportSource(str(path), TagsConfig(), Basis.UNBLENDED, str).read(
        MARCH, APRIL, ()
    )
    return reading.days


def total(reading) -> Decimal:
    return sum(
        (
            costs.unblended
            for day in reading.days.values()
            for series, costs in day.items()
            if series.kind is Kind.SERVICE
        ),
        Decimal(0),
    )


@pytest.mark.parametrize("path", ["bills/spend", "bills/spend/", "bills", "/bills/"])
def test_a_bucket_is_read_as_a_folder_is(bucket, tmp_path, path):
    lines = list(charges(random.Random(3), MARCH, 3000, ("USD", "EUR")))
    files = cur_csv(lines[:1000]), cur_csv(lines[1000:])
    bucket.month().write(*files)
    (reading,) = bucket.read(path=path)
    assert reading.days == local(tmp_path / "spend", *files)
    assert bucket.made == ["s3"]


def test_an_export_may_lie_at_the_top_of_its_bucket(bucket):
    def put(name: str, content: bytes) -> None:
        bucket.own.put_object(Bucket="billing", Key=f"focus/{name}", Body=content)

    MonthFiles(put, MARCH, bucket="s3://billing/focus").write(focus_csv([ONE]))
    assert total(bucket.read(path="")[0]) == Decimal("0.1")
    assert total(bucket.read(path="focus")[0]) == Decimal("0.1")


def test_parquet_is_read_from_a_bucket(bucket, tmp_path):
    lines = list(charges(random.Random(4), MARCH, 2000))
    bucket.month(suffix=".snappy.parquet").write(cur_parquet(lines))
    (reading,) = bucket.read()
    assert reading.days == local(tmp_path / "spend", cur_csv(lines))


def test_the_manifest_comes_last(bucket):
    delivery = bucket.month()
    names = delivery.write_data([cur_csv([ONE])])
    assert "s3://billing/bills/spend: no manifest was found" in bucket.refused()
    assert "no manifest was found" in bucket.refused(path="bills")
    assert bucket.got == []
    delivery.write_manifest(names)
    assert len(bucket.read()) == 1


def test_of_what_is_known_only_the_manifest_is_read(bucket):
    bucket.month(FEBRUARY).write(cur_csv([ONE]))
    bucket.month().write(cur_csv([ONE]))
    known = [r.version for r in bucket.read(first=FEBRUARY)]
    bucket.got.clear()
    assert bucket.read(known, first=FEBRUARY) == []
    assert all(name.startswith("metadata/") for name in bucket.got)
    assert len(bucket.got) == 2
    bucket.month().write(cur_csv([ONE, ONE]))
    (reading,) = bucket.read(known, first=FEBRUARY)
    assert (reading.first, total(reading)) == (MARCH, Decimal("0.2"))


def test_of_deliveries_that_are_kept_the_newest_counts(bucket):
    for i, execution in enumerate(("20240303T0-a", "20240305T0-b")):
        delivery = bucket.month(execution=execution)
        delivery.write(cur_csv([ONE] * (i + 1)))
        bucket.month().write_manifest(delivery.names(1))
    (reading,) = bucket.read()
    assert total(reading) == Decimal("0.2")
    assert sorted(bucket.got) == [
        "data/BILLING_PERIOD=2024-03/20240305T0-b/spend-00001.csv.gz",
        "metadata/BILLING_PERIOD=2024-03/spend-Manifest.json",
    ]


def test_a_missing_object_is_an_error_of_its_month_alone(bucket):
    bucket.month(FEBRUARY).write(cur_csv([ONE]))
    names = bucket.month().write_data([cur_csv([ONE])])
    bucket.month().write_manifest([*names, names[0].replace("00001", "00002")])
    given = []
    with pytest.raises(SourceError, match="which is missing") as caught:
        given.extend(bucket.source().read(FEBRUARY, APRIL, ()))
    assert "s3://billing/bills/spend/data/BILLING_PERIOD=2024-03/spend-00002.csv.gz" in str(
        caught.value
    )
    assert bucket.got[-1].startswith("metadata/BILLING_PERIOD=2024-03")


def test_an_object_that_vanishes_or_is_replaced_meanwhile_is_reported(bucket):
    bucket.month().write(cur_csv([ONE]))

    def replace(key: str) -> None:
        if key.startswith("data/"):
            bucket.put(key, cur_csv([ONE, ONE]))

    bucket.before_get = replace
    message = bucket.refused()
    assert "spend-00001.csv.gz was replaced while it was read" in message
    bucket.before_get = str
    bucket.month().write(cur_csv([ONE]))

    def delete(key: str) -> None:
        if key.startswith("data/"):
            bucket.own.delete_object(Bucket="billing", Key=f"bills/spend/{key}")

    bucket.before_get = delete
    assert "spend-00001.csv.gz vanished while the export was read" in bucket.refused()


def test_a_truncated_object_is_reported(bucket):
    whole = cur_csv(charges(random.Random(5), MARCH, 200))
    bucket.month().write(whole[:-20])
    message = bucket.refused()
    assert message.startswith("s3://billing/bills/spend/data/BILLING_PERIOD=2024-03/spend-00001")
    assert "it ends too early" in message


class Cutting(socketserver.ThreadingTCPServer):
    """Stands before a server, and cuts the answers to some requests after so many bytes."""

    daemon_threads = True

    def __init__(self, server: str, asked: bytes, after: int) -> None:
        parts = urlsplit(server)
        self.behind = (parts.hostname, parts.port)
        self.asked = asked
        self.after = after
        super().__init__(("127.0.0.1", 0), Cut)


class Cut(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        left = None
        with socket.create_connection(self.server.behind) as behind:
            while request := self.request.recv(1 << 16):
                if self.server.asked in request:
                    left = self.server.after
                behind.sendall(request)
                behind.settimeout(10)
                while answer := behind.recv(1 << 16):
                    self.request.sendall(answer if left is None else answer[:left])
                    if left is not None:
                        left -= len(answer)
                        if left <= 0:
                            return
                return


@contextmanager
def cutting(server: str, asked: bytes, after: int):
    with Cutting(server, asked, after) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}"
        finally:
            proxy.shutdown()
            thread.join()


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv", ".parquet"])
@pytest.mark.parametrize("left_out", [1, 5_000])
def test_a_connection_that_is_cut_is_never_half_a_month(bucket, suffix, left_out):
    lines = list(charges(random.Random(6), MARCH, 2000))
    if suffix == ".csv":  # nothing in the file itself shows that it is cut after a line
        import gzip

        second = gzip.decompress(cur_csv(lines))
    else:
        second = cur_parquet(lines) if suffix == ".parquet" else cur_csv(lines)
    bucket.month(FEBRUARY, suffix=suffix).write(second)
    bucket.month(suffix=suffix).write(second, second)
    before = len(second) + 300 - left_out  # the headers are longer than this
    given = []
    with cutting(bucket.server, b"2024-03/spend-00002", before) as endpoint:
        source = bucket.source(endpoint=endpoint)
        with pytest.raises(SourceError, match="was cut off") as caught:
            given.extend(r.first for r in source.read(FEBRUARY, APRIL, ()))
    assert "s3://billing/bills/spend/data/BILLING_PERIOD=2024-03/spend-00002" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert given == [FEBRUARY]
    assert len(bucket.read()) == 1


def test_a_bucket_that_is_not_there_is_reported(bucket):
    source = BillingExportSource(
        "s3://nobodys/x", TagsConfig(), Basis.UNBLENDED, lambda s: connect(bucket.server, s, **KEYS)
    )
    with pytest.raises(SourceError, match="s3://nobodys/x: ") as caught:
        list(source.read(MARCH, APRIL, ()))
    assert "bucket" in str(caught.value).split(": ", 1)[1]


def test_a_bucket_without_a_name_is_reported():
    source = BillingExportSource("s3:///x", TagsConfig(), Basis.UNBLENDED, connect)
    with pytest.raises(SourceError, match="expected s3://BUCKET/PREFIX"):
        list(source.read(MARCH, APRIL, ()))


def test_a_server_that_does_not_answer_is_reported(bucket):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        message = bucket.refused(endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert message.startswith("s3://billing/bills/spend: ")


def test_missing_credentials_are_reported(bucket):
    source = BillingExportSource(
        "s3://billing/x", TagsConfig(), Basis.UNBLENDED, lambda s: connect(bucket.server, s)
    )
    with pytest.raises(SourceError, match=r"s3://billing/x: .*credentials"):
        list(source.read(MARCH, APRIL, ()))


@pytest.fixture
def stranger(bucket):
    """Keys of a user who may do nothing, on a server that minds from now on."""
    iam = connect(bucket.server, "iam", **KEYS)
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    tell(bucket.server, "reset-auth", b"0")
    yield {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    tell(bucket.server, "reset-auth", b"inf")


def test_a_denied_bucket_is_reported(bucket, stranger):
    source = BillingExportSource(
        "s3://billing/bills",
        TagsConfig(),
        Basis.UNBLENDED,
        lambda s: connect(bucket.server, s, **stranger),
    )
    with pytest.raises(SourceError, match="s3://billing/bills: ") as caught:
        list(source.read(MARCH, APRIL, ()))
    assert "may not" in str(caught.value)
    assert "needs s3:ListBucket of the bucket and s3:GetObject" in str(caught.value)
