"""A fortnight of two teams in seconds: running daemons that are scraped at simulated times.

The sidecars and the exporter are the real ones, on an event loop of this process, with a clock that
is set by hand. Their pages are read over HTTP and written into an engine with the simulated times.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import yaml

from mlguard_common.config import load_config
from mlguard_exporter.config import Config as ExporterConfig
from mlguard_exporter.daemon import Daemon as Exporter
from mlguard_sidecar.config import Config as SidecarConfig
from mlguard_sidecar.daemon import Daemon as Sidecar
from support import traffic
from support.aws import Bill
from support.aws_cost_explorer import TAGS
from support.sidecar import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.aws import FakeAws
    from support.remote_write import RemoteWriter

HOUR, DAY = 3600.0, 86_400.0
END = datetime(2026, 6, 17, 12, tzinfo=UTC).timestamp()
START = END - 14 * DAY
DRIFT_BEGAN = END - 30 * HOUR
MODELS = {"churn": traffic.churn, "price": traffic.price, "fraud": traffic.fraud}


@dataclass(frozen=True)
class Schedule:
    """Times of scrapes: every four hours, from the last day on every half hour, then each minute.

    Attributes:
        minutes: of the last stretch.
    """

    minutes: int = 50

    def times(self) -> Iterator[float]:
        fine = END - self.minutes * 60
        at = START
        while at < END:
            at += 60 if at >= fine else HOUR / 2 if at >= END - 27 * HOUR else 4 * HOUR
            yield at

    @property
    def evaluations(self) -> dict[str, tuple[float, float, float]]:
        """Begin, end and step of the evaluations of each group of rules, and of the others."""
        return {
            "": (END - self.minutes * 60, END, 60),
            "mlguard-fleet-drift": (END - 27 * HOUR, END, 300),
            "mlguard-fleet-cost": (END - 5 * DAY, END, 300),
        }


@dataclass
class _Process:
    """A daemon with its address."""

    daemon: Any
    url: str
    target: dict[str, str]
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Fortnight:
    """What happens to the two teams.

    Args:
        folder: for data.
        aws: whose clock and bills are set.
        writer: takes what is scraped.
        hook: address that notifications are sent to.
        schedule: of the scrapes.
    """

    def __init__(
        self, folder: Path, aws: FakeAws, writer: RemoteWriter, hook: str, schedule: Schedule
    ) -> None:
        self.now = START
        self._folder = folder
        self._aws = aws
        self._writer = writer
        self._hook = hook
        self._schedule = schedule
        self._rng = np.random.default_rng(7)
        self._truths: dict[tuple[str, str], tuple[str, list[Any]]] = {}
        aws.clock = lambda: datetime.fromtimestamp(self.now, UTC)
        aws.bills = list(_bills())

    def run(self) -> None:
        """Live through it."""
        _build_baselines(self._folder)
        asyncio.run(self._run())

    async def _run(self) -> None:
        async with (
            asyncio.timeout(600),
            aiohttp.ClientSession() as self._http,
            self._process(Sidecar, "shop", self._shop()) as shop,
            self._process(Sidecar, "bank-0", self._bank()) as bank,
            self._process(Sidecar, "bank-1", self._bank()) as other,
            self._process(Exporter, "exporter", self._spend()) as exporter,
        ):
            await self._live(shop, [bank, other], exporter)

    async def _live(self, shop: _Process, bank: list[_Process], exporter: _Process) -> None:
        reader, client = await asyncio.open_unix_connection(self._folder / "shop/s.sock")
        client.write(b'{"hello": {"client": "c", "version": 1}}\n')
        await reader.readline()
        for step, at in enumerate(self._schedule.times()):
            before, self.now = self.now, at
            if at - before < HOUR / 2:
                client.write(b'{"stats": {"dropped": 1}}\n')
                await self._misbehave(shop)
            await asyncio.gather(
                self._serve(shop, ["churn", "price"], before, step),
                *(self._serve(process, ["fraud"], before, step) for process in bank),
                self._charge(exporter, before),
            )
            if step % 20 == 0:
                self._writer.send()
        self._writer.send()
        client.close()
        await client.wait_closed()

    async def _serve(self, process: _Process, models: list[str], before: float, step: int) -> None:
        """Let models predict until now, and scrape their sidecar."""
        lines = [line for name in models for line in self._lines(process, name, before, step)]
        if process.target["instance"] == "shop" and self.now - before < HOUR / 2:
            lines += _odd_events()
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        await self._post(f"{process.url}/api/v1/events", body)
        daemon = process.daemon
        await daemon._refresher.move_all()
        if self.now // DAY != before // DAY:
            await daemon._recorder.record()
        await daemon._alerting.evaluate()
        await self._scrape(process)

    async def _charge(self, exporter: _Process, before: float) -> None:
        """Let the exporter read what is due, and scrape it."""
        if self.now // HOUR != before // HOUR:
            while not await exporter.daemon._poller.tick():
                pass
        await self._scrape(exporter)

    async def _scrape(self, process: _Process) -> None:
        page = await self._get(f"{process.url}/metrics")
        self._writer.add_page(page, self.now, process.target)

    def _lines(
        self, process: _Process, model: str, before: float, step: int
    ) -> Iterator[dict[str, Any]]:
        """Yield the events of a model since the last step, and outcomes of those before."""
        n = int(np.clip((self.now - before) / 6, 20, 240))
        drift = float(np.clip((self.now - DRIFT_BEGAN) / (6 * HOUR), 0, 1))
        columns, truths = MODELS[model](self._rng, n, drift)
        # in the last minutes alone, as each minute is a pane that windows have to read
        times = np.sort(self._rng.uniform(max(before, self.now - 180), self.now, n))
        columns |= {"timestamp": times.tolist(), "id": [f"{step}-{i}" for i in range(n)]}
        identity = {"project_id": process.target["team"], "model_id": model}
        yield identity | {"columns": columns}
        past, late = self._truths.get((process.url, model), ("", []))
        for i, truth in enumerate(late[:30]):
            yield identity | {"outcome": {"id": f"{past}-{i}", "y_true": truth}}
        self._truths[process.url, model] = (str(step), truths)

    async def _misbehave(self, shop: _Process) -> None:
        """Send a body that cannot be unpacked, and a CloudEvent that cannot be read."""
        url = f"{shop.url}/api/v1/events"
        await self._post(url, gzip.compress(b"{}")[:-6], {"Content-Encoding": "gzip"})
        await self._post(f"{shop.url}/api/v1/cloudevents", b"?", {"ce-type": "x", "ce-id": "y"})

    async def _post(self, url: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        headers = {"Content-Type": "application/x-ndjson"} | (headers or {})
        async with self._http.post(url, data=body, headers=headers) as answer:
            await answer.read()

    async def _get(self, url: str) -> str:
        async with self._http.get(url) as answer:
            return await answer.text()

    @asynccontextmanager
    async def _process(self, kind: Callable[..., Any], name: str, config: dict[str, Any]):
        folder = self._folder / name
        folder.mkdir(parents=True)
        listen = f"127.0.0.1:{free_port()}"
        config |= {"listen": listen, "data_dir": str(folder / "data")}
        if kind is Sidecar:
            config["socket"] = {"path": str(folder / "s.sock")}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        read = SidecarConfig if kind is Sidecar else ExporterConfig
        loaded = load_config(folder / "config.yaml", read)
        target = {"job": "mlguard", "instance": name, "team": name.partition("-")[0]}
        made = _Process(kind(loaded, lambda: loaded, lambda: self.now), f"http://{listen}", target)
        task = asyncio.create_task(made.daemon.run(made.stop))
        try:
            while not await self._is_ready(made.url):
                assert not task.done(), task
                await asyncio.sleep(0.01)
            yield made
        finally:
            made.stop.set()
            await task

    async def _is_ready(self, url: str) -> bool:
        try:
            return (await self._get(f"{url}/readyz")).startswith("ready")
        except aiohttp.ClientError:
            return False

    def _shop(self) -> dict[str, Any]:
        limits = {"latency_p95_seconds": 0.2, "traffic_drop_ratio": 0.2}
        files = {name: {"file": str(self._folder / f"{name}.json")} for name in MODELS}
        return {
            "thresholds": limits,
            "models": [
                {"project": "shop", "model": "churn", "baseline": files["churn"],
                 "positive_class": 1, "thresholds": {"accuracy_drop": 0.05}},
                {"project": "shop", "model": "price", "baseline": files["price"],
                 "reference": "last_7_days", "thresholds": {"error_rise_ratio": 0.2}},
            ],
            "rules": {"interval": "1h"},
            "notify": {"receivers": [{"name": "team", "url": self._hook}]},
        }  # fmt: skip

    def _bank(self) -> dict[str, Any]:
        return {
            "exposition": "fleet",
            "baseline": {"file": str(self._folder / "fraud.json")},
            "thresholds": {"latency_p95_seconds": 0.2},
            "rules": {"enabled": False},
        }

    def _spend(self) -> dict[str, Any]:
        budgets = [
            {"project": "shop", "amount": 3000},
            {"project": "shop", "model": "churn", "amount": 1500},
            {"project": "bank", "amount": 5000},
        ]
        return {
            "cost": {"accounts": [{"name": "main"}], "budgets": budgets},
            "rules": {"interval": "1h"},
        }


def _odd_events() -> list[dict[str, Any]]:
    """What clients do wrong: a bad time and value, a new model, an outcome of no prediction."""
    identity = {"project_id": "shop", "model_id": "new"}
    return [
        identity | {"y_pred": 1, "features": {"x": 1.5}},
        identity | {"timestamp": "long ago"},
        identity | {"y_pred": 1, "y_proba": 7, "features": {"x": [1]}},
        identity | {"model_id": "churn", "outcome": {"id": "unknown", "y_true": 1}},
    ]


def _build_baselines(folder: Path) -> None:
    rng = np.random.default_rng(3)
    for name, columns_of in MODELS.items():
        traffic.write_csv(folder / f"{name}.csv", *columns_of(rng, 3000, 0.0))
        command = ["baseline", "build", f"{name}.csv", "-o", f"{name}.json", "--y-true", "y_true"]
        if name == "churn":
            command += ["--positive-class", "1"]
        done = subprocess.run(
            [sys.executable, "-m", "mlguard_sidecar.cli", *command],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    for name in MODELS:
        path = folder / f"{name}.json"
        built = json.loads(path.read_text()) | {"created": "2026-05-20T09:00:00Z"}
        path.write_text(json.dumps(built))


def _bills() -> Iterator[Bill]:
    rng = np.random.default_rng(5)
    last = datetime.fromtimestamp(END, UTC).date()
    owners = {
        ("shop", "churn", "predict"): ("Amazon SageMaker", 60),
        ("shop", "price", "predict"): ("Amazon Elastic Compute Cloud - Compute", 25),
        ("bank", "fraud", "predict"): ("Amazon SageMaker", 110),
        (): ("Amazon Simple Storage Service", 18),
    }
    for n in range(120):
        day = last - timedelta(days=n)
        for owner, (service, level) in owners.items():
            spike = 2.5 if owner[1:2] == ("fraud",) and n == 2 else 1
            weekend = 0.6 if day.weekday() > 4 else 1
            yield _bill(day, owner, service, "Usage", level * spike * weekend * rng.normal(1, 0.04))
    yield _bill(last.replace(day=1), (), "Tax", "Tax", 212.4)
    yield _bill(last.replace(day=2), (), "Amazon SageMaker", "Credit", -150)


def _bill(day: date, owner: tuple[str, ...], service: str, kind: str, amount: float) -> Bill:
    value = Decimal(f"{amount:.4f}")
    return Bill(day, dict(zip(TAGS, owner, strict=False)), service, kind, value, value, value)
