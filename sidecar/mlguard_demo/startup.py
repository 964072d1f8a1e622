"""Starting the daemons and the model server, while the flights are loaded."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import msgspec
from rich.console import Console

from mlguard_demo.configuration import Alerting, write_exporter_config, write_sidecar_config
from mlguard_demo.cost_explorer import aws_environment, cost_explorer
from mlguard_demo.costs import SettledDay, await_settled_day
from mlguard_demo.errors import DemoError
from mlguard_demo.flights import Flights, find_data, load
from mlguard_demo.loopback import serve
from mlguard_demo.messages import ModelServerInfo
from mlguard_demo.processes import ChildProcess, child_process
from mlguard_demo.receiver import Receiver
from mlguard_demo.rules import speedup
from mlguard_demo.spend import BUDGETS_USD, HISTORY_DAYS, Spend
from mlguard_demo.workspace import Address, Addresses, Workspace, windows_for

EXPORTER = ("-P", "-m", "mlguard_exporter")
SIDECAR = ("-P", "-m", "mlguard_sidecar")
MODEL_SERVER = ("-P", "-m", "mlguard_demo.model_server")
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.05
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Session:
    """Everything that the replay needs.

    Attributes:
        flights: the flights of the year.
        model_url: where the model server answers.
        settled_day: what the projects spent.
        receiver: of the notifications of both daemons.
        http: HTTP client for all servers.
        children: the processes.
    """

    flights: Flights
    model_url: str
    settled_day: SettledDay
    receiver: Receiver
    http: aiohttp.ClientSession
    children: tuple[ChildProcess, ...]


@asynccontextmanager
async def start_servers(
    console: Console, workspace: Workspace, addresses: Addresses, seconds: float
) -> AsyncIterator[Session]:
    """Start all servers, print each step, and stop the servers at the end of the block.

    Args:
        console: where each step is printed.
        workspace: the working folder.
        addresses: of the daemons.
        seconds: how long the year will take.

    Raises:
        DemoError: one of them did not start; the text has the last line of its log.
    """
    console.print(
        "ML Guard: a year of real flights through a real model, and what it costs", style="bold"
    )
    env = _environment()
    loading = asyncio.create_task(asyncio.to_thread(load, find_data()))
    async with AsyncExitStack() as stack:
        stack.callback(loading.cancel)
        start = time.monotonic()
        spend = Spend(datetime.now(UTC).date())
        receiver = Receiver()
        aws_url = await stack.enter_async_context(serve(cost_explorer(spend)))
        apprise_url = receiver.apprise_url(await stack.enter_async_context(serve(receiver.app())))
        alerting = Alerting(apprise_url, speedup(seconds))
        write_sidecar_config(workspace, addresses.sidecar, windows_for(seconds), alerting)
        write_exporter_config(workspace, addresses.exporter, alerting)
        sidecar = await stack.enter_async_context(
            child_process(
                "the sidecar",
                [sys.executable, *SIDECAR, "--config", str(workspace.config)],
                log=workspace.sidecar_log,
                env=env,
            )
        )
        model = await stack.enter_async_context(
            child_process(
                "the model server",
                [sys.executable, *MODEL_SERVER, "--socket", str(workspace.socket)],
                log=workspace.model_log,
                env=env,
                read_output=True,
            )
        )
        exporter = await stack.enter_async_context(
            child_process(
                "the exporter",
                [sys.executable, *EXPORTER, "--config", str(workspace.exporter_config)],
                log=workspace.exporter_log,
                env=env | aws_environment(aws_url),
            )
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        with _progress(console, "starting the sidecar and the exporter"):
            await _wait_until_ready(http, sidecar, addresses.sidecar)
            await _wait_until_ready(http, exporter, addresses.exporter)
        _print_step(console, "sidecar", f"{addresses.sidecar.url}/")
        _print_step(console, "exporter", f"{addresses.exporter.url}/")
        _print_step(console, "folder", str(workspace.path))
        with _progress(console, "loading the flights of 2013"):
            flights = await loading
        _print_step(
            console, "data", f"{len(flights):,} flights out of New York in 2013, hourly weather"
        )
        with _progress(console, "reading the spend"):
            settled_day = await await_settled_day(http, addresses.exporter.url)
        _print_step(
            console,
            "spend",
            f"{HISTORY_DAYS} simulated days of {len(BUDGETS_USD)} projects at AWS; "
            f"${settled_day.total:,.2f} on {settled_day.day.day} {settled_day.day:%b}",
        )
        with _progress(console, "training the model"):
            info = await _wait_for_model_server(model)
        _print_step(
            console,
            "model",
            f"trained on {info.trained_on:,} flights of 1-24 Jan; AUC {info.auc:.2f} on 25-31 Jan",
        )
        _print_step(
            console, "server", f"{info.url}  (all started in {time.monotonic() - start:.1f} s)"
        )
        children = sidecar, model, exporter
        yield Session(flights, info.url, settled_day, receiver, http, children)


async def _wait_until_ready(
    http: aiohttp.ClientSession, daemon: ChildProcess, address: Address
) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while daemon.process.returncode is None:
        try:
            async with http.get(f"{address.url}/readyz") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        if time.monotonic() > deadline:
            raise DemoError(f"{daemon.name} was not ready in {_READY_SECONDS:.0f} s")
        await asyncio.sleep(_POLL_SECONDS)
    await daemon.raise_when_ended()


async def _wait_for_model_server(model: ChildProcess) -> ModelServerInfo:
    try:
        text = await asyncio.wait_for(model.read_line(), 2 * _READY_SECONDS)
        return msgspec.json.decode(text, type=ModelServerInfo)
    except TimeoutError:
        raise DemoError("the model server was not ready in time") from None


def _environment() -> dict[str, str]:
    # Settings for another sidecar must not reach this one. One thread for each process: threads
    # of mathematical libraries that spin would take the cores that the replay needs.
    # The user's account at AWS must not be asked, and no proxy leads to servers on this machine.
    foreign = ("MLGUARD_", "AWS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    proxy = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    return kept | proxy | dict.fromkeys(_THREADS, "1")


@contextmanager
def _progress(console: Console, text: str) -> Iterator[None]:
    if not console.is_terminal:
        yield
        return
    spinner = "dots" if console.encoding.startswith("utf") else "line"
    with console.status(f"{text} ...", spinner=spinner):
        yield


def _print_step(console: Console, title: str, text: str) -> None:
    console.print(f"  {title:9} {text}", soft_wrap=not console.is_terminal)
