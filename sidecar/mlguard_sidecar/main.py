"""The command `mlguard-sidecar`."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import sys
from pathlib import Path

from mlguard_common.command import run_command

# the sidecar does no linear algebra: threads for it would only cost memory
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

CONFIG_VARIABLE = "MLGUARD_CONFIG"
LOST_EVENTS = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT, and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="mlguard-sidecar",
        description="Receive events of model servers on a Unix socket; expose metrics over HTTP.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration in YAML")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="address of HTTP (default 127.0.0.1:9520)"
    )
    parser.add_argument("--socket", metavar="PATH", help="path of the event socket")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the database")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    flags = parser.parse_args(arguments)
    return run_command("mlguard-sidecar", "sidecar", lambda: _run(flags))


def _run(flags: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415 - may be missing

    from mlguard_common.config import load_config, with_changes  # noqa: PLC0415
    from mlguard_common.daemon import serve  # noqa: PLC0415
    from mlguard_common.log import set_up  # noqa: PLC0415
    from mlguard_sidecar.config import Config  # noqa: PLC0415
    from mlguard_sidecar.daemon import Daemon  # noqa: PLC0415

    def read_config() -> Config:
        config = load_config(flags.config, Config, variable=CONFIG_VARIABLE)
        socket = msgspec.structs.replace(config.socket, path=flags.socket or config.socket.path)
        log = msgspec.structs.replace(config.log, level=flags.log_level or config.log.level)
        return with_changes(
            config,
            listen=flags.listen or config.listen,
            data_dir=flags.data_dir or config.data_dir,
            socket=socket,
            log=log,
        )

    def make() -> Daemon:
        daemon = Daemon(config, read_config)
        # events are many short-lived objects: look for reference cycles less often
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        # the database thread needs the interpreter briefly and often: during a scrape it must not
        # wait the usual 5 ms each time
        sys.setswitchinterval(0.0005)
        return daemon

    _return_freed_memory()
    config = read_config()
    set_up(config.log)
    stored = asyncio.run(serve(make))
    return 0 if stored else LOST_EVENTS


def _return_freed_memory() -> None:
    """Make the C library return large blocks to the system once they are freed.

    By default glibc raises its threshold as such blocks are freed. After a burst of events over
    many minutes it would keep some 20 MiB for ever.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mmap_threshold = -3  # malloc.h
        mallopt(mmap_threshold, 128 << 10)


if __name__ == "__main__":
    sys.exit(main())
