"""The command `mlguard-exporter`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlguard_common.command import run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_exporter.config import Config


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT, or another command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="mlguard-exporter",
        description="Publish what models cost at AWS, and relay alerts from sidecars and"
        " Alertmanager through Apprise. Without a command it runs until it is stopped.",
    )
    _add_place(parser, default=None)
    parser.add_argument("--listen", metavar="HOST:PORT", help="for HTTP (127.0.0.1:9521)")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.set_defaults(run=_run_daemon)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> Any:
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(run=run)
        return command

    check = add("check", _check, "report what is missing at AWS; changes nothing")
    activate = add("activate-tags", _activate, "have AWS split spend by the tags")
    backfill = add("backfill", _backfill, "have AWS split the months before as well")
    backfill.add_argument(
        "--months", type=int, choices=range(1, 13), default=12, metavar="N", help="1 to 12 (12)"
    )
    export = add("export", _export, "write all spend that was ever read")
    export.add_argument(
        "--format", choices=("csv", "openmetrics"), default="csv", help="of the output (csv)"
    )
    for command in (check, activate, backfill, export):
        _add_place(command, default=argparse.SUPPRESS)
    for command in (check, activate, backfill):
        command.add_argument("--account", metavar="NAME", help="one account, instead of all")
    for command in (activate, backfill):
        command.add_argument("--dry-run", action="store_true", help="change nothing")
        command.add_argument("--yes", action="store_true", help="do not ask for confirmation")

    flags = parser.parse_args(arguments)
    return run_command("mlguard-exporter", "exporter", lambda: flags.run(flags))


def _add_place(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Add the flags that may stand before a command as well as after it."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration in YAML", default=default
    )
    parser.add_argument("--data-dir", metavar="DIR", help="for the database", default=default)


def _read_config(flags: argparse.Namespace) -> Config:
    import msgspec  # noqa: PLC0415 - so that a missing extra is reported in one line

    from mlguard_common.config import load_config, with_changes  # noqa: PLC0415
    from mlguard_exporter.config import Config  # noqa: PLC0415

    config = load_config(flags.config, Config) if flags.config else Config()
    return with_changes(
        config,
        listen=flags.listen or config.listen,
        data_dir=flags.data_dir or config.data_dir,
        log=msgspec.structs.replace(config.log, level=flags.log_level or config.log.level),
    )


def _run_daemon(flags: argparse.Namespace) -> int:
    config = _read_config(flags)

    from mlguard_common.daemon import serve  # noqa: PLC0415
    from mlguard_common.log import set_up  # noqa: PLC0415
    from mlguard_exporter.daemon import Daemon  # noqa: PLC0415

    set_up(config.log)
    return 0 if asyncio.run(serve(lambda: Daemon(config, lambda: _read_config(flags)))) else 1


def _check(flags: argparse.Namespace) -> int:
    from mlguard_exporter.setup import check, command_errors, utc_now  # noqa: PLC0415

    config = _read_config(flags)
    return command_errors(lambda: check.run(config, now=utc_now(), **_which(flags)))


def _activate(flags: argparse.Namespace) -> int:
    from mlguard_exporter.setup import activate, command_errors  # noqa: PLC0415

    config = _read_config(flags)
    return command_errors(lambda: activate.run(config, **_which(flags), **_confirmation(flags)))


def _backfill(flags: argparse.Namespace) -> int:
    from mlguard_exporter.setup import backfill, command_errors, utc_now  # noqa: PLC0415

    config = _read_config(flags)
    return command_errors(
        lambda: backfill.run(
            config, now=utc_now(), months=flags.months, **_which(flags), **_confirmation(flags)
        )
    )


def _export(flags: argparse.Namespace) -> int:
    from mlguard_exporter import export  # noqa: PLC0415
    from mlguard_exporter.setup import command_errors  # noqa: PLC0415

    config = _read_config(flags)
    return command_errors(lambda: export.run(config, flags.format))


def _which(flags: argparse.Namespace) -> dict[str, Any]:
    return {"config_path": flags.config, "account": flags.account}


def _confirmation(flags: argparse.Namespace) -> dict[str, Any]:
    return {"dry_run": flags.dry_run, "yes": flags.yes}


if __name__ == "__main__":
    sys.exit(main())
