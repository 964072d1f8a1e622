"""Everything that runs before the first flight: the data, the sidecar, the model server."""

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

from mlguard_sidecar.demo.children import Child, child
from mlguard_sidecar.demo.errors import DemoError
from mlguard_sidecar.demo.flights import Flights, find_data, load
from mlguard_sidecar.demo.place import Address, Folder

SIDECAR = ("-P", "-m", "mlguard_sidecar")
MODEL_SERVER = ("-P", "-m", "mlguard_sidecar.demo.server")
_READY_SECONDS = 30.0
_POLL_SECONDS = 0.05
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Ready(msgspec.Struct):
    """What the model server says of itself once it can be asked."""

    url: str
    auc: float
    trained_on: int


@dataclass(frozen=True)
class Cast:
    """All that the replay needs.

    Attributes:
        flights: The year's flights.
        model: The model server's words.
        session: The HTTP client for both servers.
        children: The two processes.
    """

    flights: Flights
    model: Ready
    session: aiohttp.ClientSession
    children: tuple[Child, Child]


@asynccontextmanager
async def opening(console: Console, folder: Folder, address: Address) -> AsyncIterator[Cast]:
    """Start both servers while the data is read, telling each stage; stop them at the end.

    Raises:
        DemoError: One of them did not come up; the text holds its last words.
    """
    console.print("ML Guard: a year of real flights through a real model", style="bold")
    env = _environment()
    reading = asyncio.create_task(asyncio.to_thread(load, find_data()))
    async with AsyncExitStack() as stack:
        stack.callback(reading.cancel)
        start = time.monotonic()
        sidecar = await stack.enter_async_context(
            child(
                "the sidecar",
                [sys.executable, *SIDECAR, "--config", str(folder.config)],
                log=folder.sidecar_log,
                env=env,
            )
        )
        model = await stack.enter_async_context(
            child(
                "the model server",
                [sys.executable, *MODEL_SERVER, "--socket", str(folder.socket)],
                log=folder.model_log,
                env=env,
                talks=True,
            )
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        with _waiting(console, "starting the sidecar"):
            await _sidecar_ready(session, sidecar, address)
        _tell(console, "sidecar", f"{address.url}/metrics")
        _tell(console, "folder", str(folder.path))
        with _waiting(console, "reading the year 2013"):
            flights = await reading
        _tell(console, "data", f"{len(flights):,} flights out of New York in 2013, hourly weather")
        with _waiting(console, "training the model"):
            ready = await _model_ready(model)
        _tell(
            console,
            "model",
            f"learnt {ready.trained_on:,} flights of 1-24 Jan; AUC {ready.auc:.2f} on 25-31 Jan",
        )
        _tell(console, "server", f"{ready.url}  (all up in {time.monotonic() - start:.1f} s)")
        yield Cast(flights=flights, model=ready, session=session, children=(sidecar, model))


async def _sidecar_ready(session: aiohttp.ClientSession, sidecar: Child, address: Address) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while sidecar.process.returncode is None:
        try:
            async with session.get(f"{address.url}/readyz") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        if time.monotonic() > deadline:
            raise DemoError(f"the sidecar was not ready in {_READY_SECONDS:.0f} s")
        await asyncio.sleep(_POLL_SECONDS)
    await sidecar.failed()


async def _model_ready(model: Child) -> Ready:
    try:
        text = await asyncio.wait_for(model.line(), 2 * _READY_SECONDS)
        return msgspec.json.decode(text, type=Ready)
    except TimeoutError:
        raise DemoError("the model server was not ready in time") from None


def _environment() -> dict[str, str]:
    # What is set for another sidecar must not reach this one. One thread for each process:
    # idle spinning of mathematical libraries would take the cores that the replay needs.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLGUARD_")}
    return {**kept, **dict.fromkeys(_THREADS, "1")}


@contextmanager
def _waiting(console: Console, text: str) -> Iterator[None]:
    if not console.is_terminal:
        yield
        return
    spinner = "dots" if console.encoding.startswith("utf") else "line"
    with console.status(f"{text} ...", spinner=spinner):
        yield


def _tell(console: Console, title: str, text: str) -> None:
    console.print(f"  {title:9} {text}", soft_wrap=not console.is_terminal)
