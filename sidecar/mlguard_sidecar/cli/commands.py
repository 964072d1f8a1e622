"""The subcommands of `mlguard`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NoReturn

import click

import mlguard as sdk
from mlguard_sidecar.baseline import Baseline, Binning, Method, build, dump, load, read_table
from mlguard_sidecar.cli.alerts import alerts
from mlguard_sidecar.cli.client import NoAnswerError, RequestError
from mlguard_sidecar.cli.rules import rules
from mlguard_sidecar.cli.status import status_table
from mlguard_sidecar.histogram import Kind

_PREDICTIONS = ("y_pred", "y_proba")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(sdk.__version__, prog_name="mlguard")
def mlguard() -> None:
    """Watch machine-learning models in production."""


mlguard.add_command(alerts)
mlguard.add_command(rules)


@mlguard.command()
@click.option("--keep", is_flag=True, help="Repeat the replay until Ctrl-C.")
@click.option("--listen", default="127.0.0.1:9520", show_default=True, metavar="HOST:PORT")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Working folder; temporary by default."
)
@click.option("--seconds", default=75.0, show_default=True, help="Duration of the replay.")
def demo(*, keep: bool, listen: str, folder: Path | None, seconds: float) -> None:
    """Run the demonstration: a real model on a year of flights, in a minute and a half."""
    from mlguard_demo import run  # noqa: PLC0415 - only this command needs it

    sys.exit(run(keep=keep, listen=listen, folder=folder, seconds=seconds))


@mlguard.group()
def baseline() -> None:
    """Build and read baseline files."""


@baseline.command("build")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Output file; standard output by default.",
)
@click.option("--y-pred", metavar="COLUMN", help="Column of predictions, if not y_pred.")
@click.option("--y-proba", metavar="COLUMN", help="Column of probabilities, if not y_proba.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Omit a column.")
@click.option(
    "--categorical", multiple=True, metavar="COLUMN", help="Read its numbers as categories."
)
@click.option("--bins", default=10, show_default=True, type=click.IntRange(2, 60))
@click.option(
    "--method", default="quantile", show_default=True, type=click.Choice([str(m) for m in Method])
)
def baseline_build(
    *,
    file: Path,
    output: Path | None,
    y_pred: str | None,
    y_proba: str | None,
    drop: tuple[str, ...],
    categorical: tuple[str, ...],
    bins: int,
    method: str,
) -> None:
    """Build a baseline from FILE: CSV, NDJSON, or Parquet if pyarrow is installed."""
    try:
        table = read_table(file)
    except OSError as error:
        _fail(f"{file}: {error.strerror}")
    except ValueError as error:
        _fail(str(error))
    for name in (*drop, *categorical, *filter(None, (y_pred, y_proba))):
        if name not in table:
            _fail(f"{file}: no column {name}; it has {', '.join(table)}")
    rows = len(next(iter(table.values())))
    names = {"y_pred": y_pred or "y_pred", "y_proba": y_proba or "y_proba"}
    predictions = {role: table.pop(name) for role, name in names.items() if name in table}
    default = Binning(bins=bins, method=Method(method))
    built = build(
        {name: values for name, values in table.items() if name not in drop},
        predictions,
        samples=rows,
        source=file.name,
        created=time.time(),
        default=default,
        binnings={name: Binning(kind=Kind.CATEGORICAL) for name in categorical},
    )
    if output is None:
        click.echo(dump(built), nl=False)
        return
    output.write_bytes(dump(built))
    click.echo(f"{output}: baseline {built.id}, {len(built.columns)} columns, {rows} rows")


@baseline.command("show")
@click.argument("file", type=click.Path(path_type=Path))
def baseline_show(*, file: Path) -> None:
    """Show the content of a baseline FILE."""
    try:
        loaded = load(file.read_bytes())
    except OSError as error:
        _fail(f"{file}: {error.strerror}")
    except ValueError as error:
        _fail(f"{file}: {error}")
    click.echo(_shown(loaded))


@mlguard.command()
@click.option("--url", default="http://127.0.0.1:9520", show_default=True)
def status(*, url: str) -> None:
    """Show the models of a running sidecar."""
    try:
        click.echo(status_table(url))
    except NoAnswerError as error:
        _fail(f"no sidecar answers at {url}: {error}")
    except RequestError as error:
        _fail(str(error))


def _shown(loaded: Baseline) -> str:
    created = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(loaded.created))
    lines = [f"baseline {loaded.id} from {loaded.source}, {loaded.samples} rows, {created}", ""]
    lines.append(f"{'column':<24} {'kind':<12} {'values':>8} {'missing':>8}  bins")
    for part in loaded.columns:
        column, counts = part.column, part.counts
        labels = part.psi_labels
        shown = ", ".join(labels if len(labels) <= 5 else (*labels[:2], "...", labels[-1]))
        lines.append(
            f"{column.name[:24]:<24} {column.kind:<12} {counts[: column.bins].sum():>8}"
            f" {counts[column.missing]:>8}  {shown}"
        )
    return "\n".join(lines)


def _fail(text: str) -> NoReturn:
    click.echo(f"mlguard: {text}", err=True)
    sys.exit(2)
