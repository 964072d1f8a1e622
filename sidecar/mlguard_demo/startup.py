"""Starting the sidecar and the model server, while the flights are loaded."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp
import msgspec
from rich.console import Console

from mlguard_demo.errors import DemoError
from mlguard_demo.flights import Flights, find_data, load
from mlguard_demo.messages import ModelServerInfo
from mlguard_demo.processes import ChildProcess, child_process
from mlguard_demo.workspace import Address, Workspace

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
        http: HTTP client for both servers.
        children: the two processes.
    """

    flights: Flights
    model_url: str
    http: aiohttp.ClientSession
    children: tuple[ChildProcess, ChildProcess]


@asynccontextmanager
async def start_servers(
    console: Console, workspace: Workspace, address: Address
) -> AsyncIterator[Session]:
    """Start both servers, print each step, and stop the servers at the end of the block.

    Raises:
        DemoError: one of them did not start; the text has the last line of its log.
    """
    console.print("ML Guard: a year of real flights through a real model", style="bold")
    env = _environment()
    loading = asyncio.create_task(asyncio.to_thread(load, find_data()))
    async with AsyncExitStack() as stack:
        stack.callback(loading.cancel)
        start = time.monotonic()
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
        http = await stack.enter_async_context(aiohttp.ClientSession())
        with _progress(console, "starting the sidecar"):
            await _wait_for_sidecar(http, sidecar, address)
        _print_step(console, "sidecar", f"{address.url}/metrics")
        _print_step(console, "folder", str(workspace.path))
        with _progress(console, "loading the flights of 2013"):
            flights = await loading
        _print_step(
            console, "data", f"{len(flights):,} flights out of New York in 2013, hourly weather"
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
        yield Session(flights, info.url, http, (sidecar, model))


async def _wait_for_sidecar(
    http: aiohttp.ClientSession, sidecar: ChildProcess, address: Address
) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while sidecar.process.returncode is None:
        try:
            async with http.get(f"{address.url}/readyz") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        if time.monotonic() > deadline:
            raise DemoError(f"the sidecar was not ready in {_READY_SECONDS:.0f} s")
        await asyncio.sleep(_POLL_SECONDS)
    await sidecar.raise_when_ended()


async def _wait_for_model_server(model: ChildProcess) -> ModelServerInfo:
    try:
        text = await asyncio.wait_for(model.read_line(), 2 * _READY_SECONDS)
        return msgspec.json.decode(text, type=ModelServerInfo)
    except TimeoutError:
        raise DemoError("the model server was not ready in time") from None


def _environment() -> dict[str, str]:
    # Settings for another sidecar must not reach this one. One thread for each process: threads
    # of mathematical libraries that spin would take the cores that the replay needs.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLGUARD_")}
    return {**kept, **dict.fromkeys(_THREADS, "1")}


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
