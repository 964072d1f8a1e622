"""The page of the exporter: spend, budgets, anomalies, and what 1,000 inferences cost."""

from __future__ import annotations

import socket
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from support.answering import answering, json_answer
from support.aws import Bill
from support.pages import NAMES, Answer, batch, fetch, figure, send
from support.sidecar import eventually, free_port

from mlguard_common.page import texts

TODAY = datetime.now(UTC).date()
SETTLED = TODAY - timedelta(days=2)
NOON = datetime(SETTLED.year, SETTLED.month, SETTLED.day, 12, tzinfo=UTC).timestamp()
TAGS = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
OWNER = ("shop", "churn", "predict")
MAIN = {"accounts": [{"name": "main"}]}


def bills_of(owners: dict[tuple[str, ...], str]) -> list[Bill]:
    """The same every day; the settled day of the shop is a spike."""
    found = []
    for n in range(60):
        day = TODAY - timedelta(days=n)
        for owner, amount in owners.items():
            spent = Decimal(amount) * (5 if owner == OWNER and day == SETTLED else 1)
            tags = dict(zip(TAGS, owner, strict=False))
            found.append(Bill(day, tags, "Amazon SageMaker", "Usage", *[spent] * 3))
    return found


@pytest.fixture
def read(fake_aws, make_exporter):
    """Starts an exporter that has read the bills."""

    def start(owners=None, **cost):
        fake_aws.bills = bills_of(owners or {OWNER: "40.25", ("bank", "fraud", "p"): "10", (): "2"})
        exporter = make_exporter(rules={"enabled": False}, cost=MAIN | cost).start()
        eventually(lambda: exporter.value("mlguard_cost_up", account="main") == 1)
        return exporter

    return start


def spend(exporter, project: str | None = None) -> tuple[Answer, dict]:
    """The page and its twin."""
    query = "" if project is None else "?" + urlencode({"project": project})
    page = fetch(exporter, f"/{query}")
    assert page.status == 200, page.text
    (twin,) = [path for path in page.html.addresses if path.startswith("/api/v1/spend")]
    assert twin == f"/api/v1/spend{query}"
    return page, fetch(exporter, twin).json


def test_the_page_shows_the_figures_of_its_twin(read):
    exporter = read(
        budgets=[{"project": "shop", "amount": 1000}, {"project": "bank", "amount": 1e6}]
    )
    page, report = spend(exporter)
    html = page.html
    (head,) = [i for i, row in enumerate(html.rows) if row[0].startswith("Owner")]
    for row, owner in zip(html.rows[head + 1 :], report["owners"], strict=False):
        assert owner["model"] in row[0]
        for cell, name in zip(
            row[2:], ("settled_day", "month_to_date", "month_forecast"), strict=False
        ):
            assert cell.strip() == texts.dollars(owner[name])
    assert {owner["project"]: owner["settled_day"] for owner in report["owners"]} == {
        "shop": 201.25, "bank": 10, "": 2
    }  # fmt: skip
    days = [row for row in html.rows if row[-1].strip() in ("settled", "may still grow")]
    assert [row[0].strip() for row in days] == [day["day"] for day in reversed(report["days"])]
    assert [figure(row[1]) for row in days] == [day["amount"] for day in reversed(report["days"])]
    assert [a["name"] for a in report["anomalies"]] == ["shop/churn/predict"]
    assert "$201.25" in html.text
    (head,) = [i for i, row in enumerate(html.rows) if row[0].startswith("Budget")]
    for row, budget in zip(html.rows[head + 1 :], report["budgets"], strict=False):
        assert texts.dollars(budget["month_to_date"]) in row[2]
        over = (budget["month_forecast"] or 0) > budget["amount"]
        assert ("over" in row[3]) == over == (budget["project"] == "shop")
    assert "A budget will be exceeded" in html.text


def test_the_page_of_a_project_shows_it_alone(read):
    exporter = read({OWNER: "40", ("bank", "fraud", "p"): "10", (): "2"})
    for project, days, names in (
        ("shop", 40, {"shop"}),
        ("bank", 10, {"bank"}),
        ("", 2, {""}),
        ("nobody", 0, set()),
    ):
        page, report = spend(exporter, project)
        assert {owner["project"] for owner in report["owners"]} == names
        assert report["days"][-5]["amount"] == days
        chosen = page.html.attributes("a", "aria-current")
        assert len(chosen) == (1 if project in ("shop", "bank") else 0)
        anomalies = {anomaly["name"].partition("/")[0] for anomaly in report["anomalies"]}
        assert anomalies == ({"shop"} if project == "shop" else set())


def test_projects_of_hostile_names(read):
    exporter = read({(name,) * 3: "3" for name in NAMES} | {("back",) * 3: "-4"})
    page, report = spend(exporter)
    assert {owner["project"] for owner in report["owners"]} == {*NAMES, "back"}
    links = [path for path in page.html.addresses if path.startswith("/?project=")]
    assert len(links) == len(NAMES) + 1
    for path in links:
        answer = fetch(exporter, path)
        assert answer.status == 200
        for tag, found in answer.html.tags:
            assert not [name for name in found if name.startswith("on")]
            if tag == "rect":
                assert float(found["width"]) >= 0
    for name in NAMES:
        _, report = spend(exporter, name)
        assert [owner["project"] for owner in report["owners"]] == [name]


def test_without_an_account_the_page_says_how_to_see_spend(make_exporter):
    exporter = make_exporter(rules={"enabled": False}).start()
    page = fetch(exporter).html
    assert "No account is configured" in page.text
    assert "accounts:" in page.text
    assert fetch(exporter, "/api/v1/spend").json["owners"] == []


def test_an_account_that_fails_is_said_to_fail_and_the_other_is_shown(read):
    exporter = read(accounts=[{"name": "main"}, {"name": "broken", "profile": "missing"}])

    def states():
        rows = fetch(exporter).html.rows
        (head,) = [i for i, row in enumerate(rows) if row[0].startswith("Account")]
        return {row[0].strip(): row[1] for row in rows[head + 1 : head + 3]}

    eventually(lambda: "failing" in states()["broken"])
    assert "read" in states()["main"]
    page, report = spend(exporter)
    assert "the last read of broken failed" in page.html.text
    assert "$40.25" in page.text
    assert [account["up"] for account in report["accounts"]] == [True, False]


def per_1000(exporter) -> dict[str, float | None]:
    return {o["project"]: o["per_1000_inferences"] for o in spend(exporter)[1]["owners"]}


def test_inferences_of_a_sidecar(read, make_sidecar):
    sidecar = make_sidecar(rules={"enabled": False}).start()
    body = batch("..", {}, 500) | dict(
        zip(("project_id", "model_id", "endpoint"), OWNER, strict=True)
    )
    body["columns"]["timestamp"] = [NOON + n for n in range(500)]
    other = batch("..", {}, 20)
    other["columns"]["timestamp"] = [NOON] * 20
    send(sidecar, body, batch("shop", {}, 20), other)
    exporter = read({OWNER: "40.25", ("bank", "fraud", "p"): "10", ("..",) * 3: "1"},
                    inferences_url=sidecar.url + "/")  # fmt: skip
    assert per_1000(exporter) == {"shop": 2 * 201.25, "bank": None, "..": 50}
    page = fetch(exporter).html
    assert "Per 1,000 inferences" in page.text
    assert "$402.50" in page.text


@pytest.mark.needs("prometheus", "promtool")
def test_inferences_of_a_prometheus(read, tmp_path):
    labels = 'project="shop",model="churn",model_endpoint="predict"'
    start = int(NOON) - 43_200 - 3600
    samples = [f"mlguard_inferences_total{{{labels}}} {n * 10} {start + 60 * n}"
               for n in range(27 * 60)]  # fmt: skip
    lines = ["# TYPE mlguard_inferences counter", *samples, "# EOF"]
    (tmp_path / "samples").write_text("\n".join(lines) + "\n")
    storage, port = tmp_path / "tsdb", free_port()
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", tmp_path / "samples", storage],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "prometheus.yml").write_text("{}")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
             f"--storage.tsdb.path={storage}", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        eventually(lambda: connects(port))
        exporter = read(inferences_url=f"http://127.0.0.1:{port}")
        found = per_1000(exporter)
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert found["shop"] == pytest.approx(1000 * 201.25 / 14_400, rel=0.01)
    assert found["bank"] is None


def connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


ANSWERS = (
    json_answer("[]"),
    json_answer("{"),
    json_answer("null"),
    json_answer('{"models": 5}'),
    json_answer('{"models": [1]}'),
    json_answer('{"models": [{}]}'),
    json_answer('{"models": [{"project": "p", "model": "m", "endpoint": "e"}]}'),
    b"\x00\x01nonsense\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
)


def ask_at(exporter, url: str) -> None:
    """Let an exporter read inferences elsewhere, which it does soon."""
    exporter.config["cost"] = exporter.config["cost"] | {"inferences_url": url}
    exporter.write_config()
    assert fetch(exporter, "/-/reload", "POST").status == 200


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_what_does_not_tell_inferences_costs_the_page_this_column_alone(shared, answer):
    with answering(answer) as (url, asked):
        ask_at(shared, url)
        eventually(lambda: fetch(shared).status == 200 and asked)
        assert set(per_1000(shared).values()) == {None}
    assert "Per 1,000" not in fetch(shared).html.text
    assert "inferences cannot be read" in shared.log()


def test_many_readers_wait_for_one_answer_that_does_not_come(shared):
    with answering(None) as (url, asked):
        ask_at(shared, url)
        seen = []

        def read_at_once() -> bool:
            readers = [
                threading.Thread(target=lambda: seen.append(fetch(shared).status)) for _ in range(6)
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
            return bool(asked)

        eventually(read_at_once)
        assert set(seen) == {200}
        assert "no answer within" in shared.log()
        read_at_once()
        assert len(asked) == 1, "what is kept is not asked for again"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """An exporter that has read the bills, and is reloaded with other addresses."""
    import os

    from support.aws import FakeAws
    from support.sidecar import Exporter

    with FakeAws(bills=bills_of({OWNER: "40"})) as fake, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in fake.env().items():
            patch.setenv(name, value)
        config = {"rules": {"enabled": False}, "cost": dict(MAIN)}
        with Exporter(tmp_path_factory.mktemp("shared"), config) as exporter:
            eventually(lambda: exporter.value("mlguard_cost_up", account="main") == 1)
            yield exporter
