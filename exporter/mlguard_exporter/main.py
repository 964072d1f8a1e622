"""The command `mlguard-exporter`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from mlguard_common.command import run_command, serve


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT; the exit status."""
    parser = argparse.ArgumentParser(
        prog="mlguard-exporter",
        description="Takes alerts from sidecars and Alertmanager, and tells people of them.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration in YAML")
    parser.add_argument("--listen", metavar="HOST:PORT", help="for HTTP (127.0.0.1:9521)")
    parser.add_argument("--data-dir", metavar="DIR", help="for the database")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    flags = parser.parse_args(arguments)
    return run_command("mlguard-exporter", "exporter", lambda: _run(flags))


def _run(flags: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415 - so that a missing extra is told in one line

    from mlguard_common.config import load_config, with_changes  # noqa: PLC0415
    from mlguard_common.log import set_up  # noqa: PLC0415
    from mlguard_exporter.config import Config  # noqa: PLC0415
    from mlguard_exporter.daemon import Daemon  # noqa: PLC0415

    def read_config() -> Config:
        config = load_config(flags.config, Config) if flags.config else Config()
        return with_changes(
            config,
            listen=flags.listen or config.listen,
            data_dir=flags.data_dir or config.data_dir,
            log=msgspec.structs.replace(config.log, level=flags.log_level or config.log.level),
        )

    config = read_config()
    set_up(config.log)
    return 0 if asyncio.run(serve(lambda: Daemon(config, read_config))) else 1


if __name__ == "__main__":
    sys.exit(main())
