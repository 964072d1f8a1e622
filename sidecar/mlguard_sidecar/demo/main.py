"""The demo from its first line to its last: claim a place, open, replay, sum up, leave nothing."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from mlguard_sidecar.demo.children import Child
from mlguard_sidecar.demo.errors import CannotStartError, DemoError
from mlguard_sidecar.demo.flights import NUMERIC, DataMissingError, Flights, find_data
from mlguard_sidecar.demo.opening import Cast, opening
from mlguard_sidecar.demo.place import (
    BASELINE_EVENTS,
    Address,
    Folder,
    claim_address,
    claim_folder,
    windows_for,
    write_config,
)
from mlguard_sidecar.demo.replay import Replay
from mlguard_sidecar.demo.show import Audience
from mlguard_sidecar.demo.summary import Outcome, words

_UNEQUAL = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST_WORDS_SECONDS = 1.0


@dataclass(frozen=True)
class Options:
    """What the person who starts the demo can choose; `run` of this package says what each is."""

    keep: bool
    listen: str
    folder: Path | None
    seconds: float


@dataclass
class _Stop:
    """Which signal has asked the demo to end, and the task to cancel then."""

    task: asyncio.Task[int]
    received: signal.Signals | None = None

    def ask(self, number: signal.Signals) -> None:
        # A second Ctrl-C must not break off the cleaning up that the first one began.
        if self.received is None:
            self.received = number
            self.task.cancel()


def play(options: Options) -> int:
    """Run the demo and return its exit status, as `run` of this package describes."""
    try:
        return asyncio.run(_play(options, Console(highlight=False, markup=False)))
    except DemoError as error:
        sys.stderr.write(f"mlguard demo: {error}\n")
        return error.status


async def _play(options: Options, console: Console) -> int:
    kept: list[Path] = []
    perform = asyncio.create_task(_perform(options, console, kept))
    with _signals(perform) as stop:
        try:
            return await perform
        except asyncio.CancelledError:
            if stop.received is None:
                raise
    with suppress(OSError):  # after a hang-up there is no terminal left to tell
        stays = f" The data stays in {kept[0]}" if kept else ""
        console.print(f"Stopped, both servers are down.{stays}", soft_wrap=True)
    return 128 + stop.received


@contextmanager
def _signals(task: asyncio.Task[int]) -> Iterator[_Stop]:
    loop = asyncio.get_running_loop()
    stop = _Stop(task)
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.ask, number)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _perform(options: Options, console: Console, kept: list[Path]) -> int:
    try:
        find_data()
    except DataMissingError as error:
        raise CannotStartError(f"{error}; install with: pip install 'mlguard[demo]'") from error
    if not options.seconds > 0:
        raise CannotStartError("--seconds takes a number above 0")
    address = claim_address(options.listen)
    with claim_folder(options.folder, keep=options.keep) as folder:
        if options.keep or options.folder:
            kept.append(folder.path)
        write_config(folder, address, windows_for(options.seconds))
        async with opening(console, folder, address) as cast:
            return await _while_alive(_year(options, console, folder, address, cast), cast.children)


async def _year(
    options: Options, console: Console, folder: Folder, address: Address, cast: Cast
) -> int:
    audience = Audience(
        console=console,
        session=cast.session,
        url=address.url,
        windows=windows_for(options.seconds),
        means=_means(cast.flights.part(0, BASELINE_EVENTS)),
        folder=str(folder.path),
    )
    console.print()
    replay = Replay(cast.flights, cast.model.url, options.seconds)
    await audience.watch(replay)
    final = await audience.settled(replay.answered)
    kept = folder.path if options.keep or options.folder else None
    outcome = Outcome(
        replay=replay,
        counted=final.inferences,
        dropped=final.dropped,
        readings=audience.readings,
        url=address.url,
        folder=kept,
        stays=options.keep,
    )
    console.print()
    for line in words(outcome):
        console.print(line, soft_wrap=not console.is_terminal)
    while options.keep:
        console.print("\nStaying, the year starts again. Ctrl-C stops.\n")
        await audience.watch(Replay(cast.flights, cast.model.url, options.seconds))
    return 0 if final.inferences == replay.answered else _UNEQUAL


async def _while_alive(work: Coroutine[None, None, int], children: Sequence[Child]) -> int:
    """Return what `work` returns, unless a child ends before it: then raise why."""
    task = asyncio.create_task(work)
    ends = [asyncio.create_task(child.failed()) for child in children]
    try:
        done, _ = await asyncio.wait({task, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if task in done and isinstance(task.exception(), DemoError):
            # A server that answers no more has most likely ended, and its last words say more.
            done, _ = await asyncio.wait(ends, timeout=_LAST_WORDS_SECONDS)
        for end in done & set(ends):
            end.result()
        return task.result()
    finally:
        for each in (task, *ends):
            each.cancel()
        await asyncio.gather(task, *ends, return_exceptions=True)


def _means(flights: Flights) -> dict[str, float]:
    return {name: float(np.nanmean(flights.numbers[name])) for name in NUMERIC}
