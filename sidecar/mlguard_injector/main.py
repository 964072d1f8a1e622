"""The command `mlguard-injector`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from mlguard_common.command import run_command


def main(arguments: list[str] | None = None) -> int:
    """Run the webhook until SIGTERM or SIGINT, and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="mlguard-injector",
        description="Admission webhook of Kubernetes that puts the sidecar into labelled pods.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration in YAML")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="address of the webhook (0.0.0.0:10250)"
    )
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    flags = parser.parse_args(arguments)
    return run_command("mlguard-injector", "injector", lambda: _run(flags))


def _run(flags: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415 - may be missing

    from mlguard_common.config import load_config, with_changes  # noqa: PLC0415
    from mlguard_common.daemon import serve  # noqa: PLC0415
    from mlguard_common.log import set_up  # noqa: PLC0415
    from mlguard_injector.config import Config  # noqa: PLC0415
    from mlguard_injector.daemon import Daemon  # noqa: PLC0415

    def read_config() -> Config:
        config = load_config(flags.config, Config)
        log = msgspec.structs.replace(config.log, level=flags.log_level or config.log.level)
        return with_changes(config, listen=flags.listen or config.listen, log=log)

    config = read_config()
    set_up(config.log)
    return 0 if asyncio.run(serve(lambda: Daemon(config, read_config))) else 1


if __name__ == "__main__":
    sys.exit(main())
