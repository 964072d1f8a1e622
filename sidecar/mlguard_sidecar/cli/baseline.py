"""`mlguard baseline`: build, show and relearn baselines."""

from __future__ import annotations

import time
import urllib.parse
from pathlib import Path

import click

from mlguard.protocol import DEFAULT_ENDPOINT
from mlguard_sidecar.baseline import (
    Baseline,
    Binning,
    ColumnSample,
    Method,
    build,
    dump,
    load,
    read_table,
)
from mlguard_sidecar.cli.client import RequestError, request
from mlguard_sidecar.cli.options import URL, fail
from mlguard_sidecar.histogram import Kind


@click.group()
def baseline() -> None:
    """Build, show and relearn baselines."""


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
        fail(f"{file}: {error.strerror}")
    except ValueError as error:
        fail(str(error))
    for name in (*drop, *categorical, *filter(None, (y_pred, y_proba))):
        if name not in table:
            fail(f"{file}: no column {name}; it has {', '.join(table)}")
    rows = len(next(iter(table.values())))
    names = {"y_pred": y_pred or "y_pred", "y_proba": y_proba or "y_proba"}
    predictions = {role: table.pop(name) for role, name in names.items() if name in table}
    default = Binning(bins=bins, method=Method(method))
    built = build(
        {name: ColumnSample.of(values) for name, values in table.items() if name not in drop},
        {name: ColumnSample.of(values) for name, values in predictions.items()},
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
        fail(f"{file}: {error.strerror}")
    except ValueError as error:
        fail(f"{file}: {error}")
    click.echo(_shown(loaded))


@baseline.command("relearn")
@click.argument("model", metavar="PROJECT/MODEL[/ENDPOINT]")
@URL
def baseline_relearn(*, model: str, url: str) -> None:
    """Learn the baseline of a model again, from its next events.

    The present one stays in use until then.
    """
    names = model.split("/")
    if not 2 <= len(names) <= 3 or not all(names):
        fail(f"{model}: expected PROJECT/MODEL or PROJECT/MODEL/ENDPOINT")
    project, name, endpoint = [*names, DEFAULT_ENDPOINT][:3]
    path = "/".join(urllib.parse.quote(part, safe="") for part in (project, name, endpoint))
    try:
        answer = request(f"{url}/api/v1/models/{path}/baseline/relearn", method="POST")
    except RequestError as error:
        fail(str(error))
    click.echo(
        f"{project}/{name}/{endpoint}: the baseline is learnt again from the next"
        f" {answer['events']:,} events; until then the present one stays in use"
    )


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
