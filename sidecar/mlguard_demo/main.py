"""The demonstration from start to end: servers, replay, summary, clean-up."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from mlguard_demo.alerts import await_firing
from mlguard_demo.browser import opening
from mlguard_demo.configuration import BASELINE_EVENTS
from mlguard_demo.errors import DemoError, StartError
from mlguard_demo.flights import NUMERIC, DataMissingError, Flights, find_data
from mlguard_demo.monitor import Monitor
from mlguard_demo.processes import ChildProcess
from mlguard_demo.replay import Replay
from mlguard_demo.startup import Session, start_servers
from mlguard_demo.summary import Result, summary_lines
from mlguard_demo.workspace import (
    Addresses,
    Workspace,
    check_addresses,
    open_workspace,
    windows_for,
)

_NOT_ALL_COUNTED = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CHILD_END_SECONDS = 1.0


@dataclass(frozen=True)
class Options:
    """The options of the command; `mlguard_demo.run` describes them."""

    keep: bool
    listen: str
    folder: Path | None
    seconds: float
    open_pages: bool


@dataclass
class _SignalHandler:
    """Cancels a task at the first signal, and keeps which one it was."""

    task: asyncio.Task[int]
    received: signal.Signals | None = None

    def handle(self, number: signal.Signals) -> None:
        # A second Ctrl-C must not interrupt the clean-up that the first one began.
        if self.received is None:
            self.received = number
            self.task.cancel()


def run_demo(options: Options) -> int:
    """Run the demonstration; return the exit status that `mlguard_demo.run` describes."""
    try:
        return asyncio.run(_run_until_signal(options, Console(highlight=False, markup=False)))
    except DemoError as error:
        sys.stderr.write(f"mlguard demo: {error}\n")
        return error.status


async def _run_until_signal(options: Options, console: Console) -> int:
    kept: list[Path] = []
    task = asyncio.create_task(_run(options, console, kept))
    with _handle_signals(task) as handler:
        try:
            return await task
        except asyncio.CancelledError:
            if handler.received is None:
                raise
    with suppress(OSError):  # after SIGHUP there is no terminal to print to
        stays = f" The data is kept in {kept[0]}" if kept else ""
        console.print(f"Stopped, all servers are down.{stays}", soft_wrap=True)
    return 128 + handler.received


@contextmanager
def _handle_signals(task: asyncio.Task[int]) -> Iterator[_SignalHandler]:
    loop = asyncio.get_running_loop()
    handler = _SignalHandler(task)
    for number in _SIGNALS:
        loop.add_signal_handler(number, handler.handle, number)
    try:
        yield handler
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _run(options: Options, console: Console, kept: list[Path]) -> int:
    try:
        find_data()
    except DataMissingError as error:
        raise StartError(f"{error}; install with: pip install 'mlguard[demo]'") from error
    if not options.seconds > 0:
        raise StartError("--seconds takes a number above 0")
    addresses = check_addresses(options.listen)
    with open_workspace(options.folder, keep=options.keep) as workspace:
        if options.keep or options.folder:
            kept.append(workspace.path)
        async with start_servers(console, workspace, addresses, options.seconds) as session:
            work = _replay_year(options, console, workspace, addresses, session)
            return await _while_all_run(work, session.children)


async def _replay_year(
    options: Options, console: Console, workspace: Workspace, addresses: Addresses, session: Session
) -> int:
    monitor = Monitor(
        console=console,
        http=session.http,
        urls=addresses.urls,
        receiver=session.receiver,
        windows=windows_for(options.seconds),
        baseline_means=_means(session.flights.part(0, BASELINE_EVENTS)),
        folder=str(workspace.path),
    )
    console.print()
    replay = Replay(session.flights, session.model_url, options.seconds)
    async with opening(addresses.urls) if options.open_pages else nullcontext() as opened:
        await monitor.run(replay)
        if opened is not None and opened.done() and not opened.result():
            console.print("\nNo browser was found to open the pages in.")
    final = await monitor.final_snapshot(replay.answered)
    alerts = await await_firing(session.http, addresses.urls)
    result = Result(
        replay=replay,
        counted=final.inferences,
        dropped=final.dropped,
        history=monitor.history,
        settled_day=session.settled_day,
        alerts=alerts,
        notifications=session.receiver.notifications,
        urls=addresses.urls,
        folder=workspace.path if options.keep or options.folder else None,
        keep=options.keep,
    )
    console.print()
    for line in summary_lines(result):
        console.print(line, soft_wrap=not console.is_terminal)
    while options.keep:
        console.print("\nThe year starts again. Ctrl-C stops.\n")
        await monitor.run(Replay(session.flights, session.model_url, options.seconds))
    return 0 if final.inferences == replay.answered else _NOT_ALL_COUNTED


async def _while_all_run(work: Coroutine[None, None, int], children: Sequence[ChildProcess]) -> int:
    """Return the result of `work`, or raise why a child ended before it did."""
    task = asyncio.create_task(work)
    ends = [asyncio.create_task(child.raise_when_ended()) for child in children]
    try:
        done, _ = await asyncio.wait({task, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if task in done and isinstance(task.exception(), DemoError):
            # A server that does not answer has most likely ended, and its log says why.
            done, _ = await asyncio.wait(ends, timeout=_CHILD_END_SECONDS)
        for end in done & set(ends):
            end.result()
        return task.result()
    finally:
        for each in (task, *ends):
            each.cancel()
        await asyncio.gather(task, *ends, return_exceptions=True)


def _means(flights: Flights) -> dict[str, float]:
    return {name: float(np.nanmean(flights.numbers[name])) for name in NUMERIC}
