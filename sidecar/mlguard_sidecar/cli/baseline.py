"""`mlguard baseline`: build baselines; show, compare and replace them."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlguard_sidecar.baseline import Binning, Method, dump
from mlguard_sidecar.cli.baseline_compare import baseline_diff, baseline_schema, baseline_show
from mlguard_sidecar.cli.baseline_replace import baseline_promote, baseline_relearn
from mlguard_sidecar.cli.options import fail
from mlguard_sidecar.cli.table import table
from mlguard_sidecar.histogram import Kind
from mlguard_sidecar.histogram.values import category
from mlguard_sidecar.training_data import (
    BuildSettings,
    Built,
    DataFileError,
    ReadOptions,
    Roles,
    build_from_file,
    column_table,
    doubts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@click.group()
def baseline() -> None:
    """Build, show, compare and replace baselines."""


for command in (
    baseline_show,
    baseline_diff,
    baseline_schema,
    baseline_promote,
    baseline_relearn,
):
    baseline.add_command(command)


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
@click.option("--y-true", metavar="COLUMN", help="Column of truths, for the usual quality.")
@click.option("--positive-class", metavar="CLASS", help="Class whose probability is given.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Omit a column.")
@click.option("--index-column", metavar="COLUMN", help="Omit the column of row numbers.")
@click.option(
    "--categorical", multiple=True, metavar="COLUMN", help="Read its numbers as categories."
)
@click.option("--missing", multiple=True, metavar="TEXT", help="A text that means a missing value.")
@click.option("--sep", metavar="CHARACTER", help="Separator; a comma by default, a tab in .tsv.")
@click.option("--encoding", help="Encoding; by its byte order mark by default, else UTF-8.")
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
    y_true: str | None,
    positive_class: str | None,
    drop: tuple[str, ...],
    index_column: str | None,
    categorical: tuple[str, ...],
    missing: tuple[str, ...],
    sep: str | None,
    encoding: str | None,
    bins: int,
    method: str,
) -> None:
    """Build a baseline from FILE: CSV, TSV, NDJSON, or Parquet if pyarrow is installed."""
    left_out = [*drop, *(each for each in (index_column, y_true) if each is not None)]
    roles = Roles(y_pred or "y_pred", y_proba or "y_proba", frozenset(left_out))
    binning = Binning(bins=bins, method=Method(method))
    as_category = Binning(bins=bins, method=Method(method), kind=Kind.CATEGORICAL)
    settings = BuildSettings(
        created=time.time(),
        binning=binning,
        binnings=dict.fromkeys(categorical, as_category),
        prediction=Kind.CATEGORICAL if roles.y_pred in categorical else None,
        missing_words=missing,
        y_true=y_true,
        positive_class=None if positive_class is None else category(positive_class),
        named=(*left_out, *categorical, *filter(None, [y_pred, y_proba])),
    )
    tab = "\t" if sep in {"tab", "\\t"} else sep
    try:
        with _progress() as show:
            built = build_from_file(file, ReadOptions(tab, encoding, roles), settings, show)
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")
    except DataFileError as error:
        fail(str(error))
    _report(built)
    if output is None:
        click.echo(dump(built.baseline), nl=False)
        return
    try:
        output.write_bytes(dump(built.baseline))
    except OSError as error:
        fail(f"{output}: {error.strerror or error}")
    found = built.baseline
    click.echo(
        f"{output}: baseline {found.id}, {len(found.columns)} columns, {found.samples:,} rows"
    )


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """Show a progress bar on a terminal, and yield what moves it to a share from 0 to 1."""
    with click.progressbar(
        length=1000, label="reading", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield lambda share: bar.update(int(share * 1000) - bar.pos)


def _report(built: Built) -> None:
    """Print the columns, what is doubtful, and the dry run, to standard error."""
    click.echo(table(column_table(built)), err=True)
    for name, why in built.baseline.not_watched.items():
        click.echo(f"not watched  {name or repr(name)}: {why}", err=True)
    for doubt in doubts(built):
        click.echo(f"doubtful     {doubt}", err=True)
    (_, worst), index = max(built.dry_run.items(), key=lambda item: item[1])
    click.echo(
        f"dry run      the file against itself: PSI is at most {index:.4f}, in {worst}", err=True
    )
