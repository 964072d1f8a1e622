"""`mlguard outcomes`: send the truths in a file."""

from __future__ import annotations

import socket as sockets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click

from mlguard import Guard
from mlguard.protocol import configured_socket, default_sockets
from mlguard_sidecar.cli.client import RequestError, request
from mlguard_sidecar.cli.options import URL, fail, model_path
from mlguard_sidecar.training_data import (
    DataFileError,
    ReadOptions,
    Records,
    read_proba,
    read_records,
)

_QUEUE = 20_000
_FLUSH_SECONDS = 60.0
_NAMES = ("id", "y_true", "y_pred", "y_proba")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", metavar="PROJECT/MODEL[/ENDPOINT]")
@click.option("--id", "id_", default="id", show_default=True, metavar="COLUMN", help="IDs.")
@click.option("--y-true", default="y_true", show_default=True, metavar="COLUMN", help="Truths.")
@click.option("--y-pred", metavar="COLUMN", help="Predictions, if not to be found by their ID.")
@click.option("--y-proba", metavar="COLUMN", help="Their probabilities.")
@click.option("--sep", metavar="CHARACTER", help="Separator; a comma by default, a tab in .tsv.")
@click.option("--encoding", help="Encoding; by its byte order mark by default, else UTF-8.")
@click.option("--socket", type=click.Path(), help="Event socket of the sidecar.")
@URL
def outcomes(
    *,
    file: Path,
    model: str,
    id_: str,
    y_true: str,
    y_pred: str | None,
    y_proba: str | None,
    sep: str | None,
    encoding: str | None,
    socket: str | None,
    url: str,
) -> None:
    """Send the truths in FILE (CSV, TSV, NDJSON or Parquet) for the predictions of a model.

    An ID counts once while it is kept, so that a file of at most outcomes.max_ids rows may be sent
    again. A longer one with predictions of its own counts again.

    The status is 0 if the sidecar accepted every row, 1 if it did not, 2 if the file could not be
    sent.
    """
    path = model_path(model)
    project, name, endpoint = map(unquote, path.split("/"))
    columns = [id_, y_true, y_pred or "y_pred", y_proba or "y_proba"]
    needed = [each for each in (id_, y_true, y_pred, y_proba) if each is not None]
    options = ReadOptions("\t" if sep in {"tab", "\\t"} else sep, encoding)
    _check_socket(socket)
    before = _counts(url, path)
    guard = Guard(project, name, endpoint, socket=socket, queue_size=_QUEUE)
    rows = 0
    try:
        with click.progressbar(
            length=1000, label="sending", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            for part in read_records(file, options, columns):
                _check(file, part, needed)
                rows += _send(guard, part, columns)
                bar.update(int(part.progress * 1000) - bar.pos)
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")
    except DataFileError as error:
        fail(str(error))
    guard.close(_FLUSH_SECONDS)
    _report(guard, rows, before, _counts(url, path))


def _check(file: Path, part: Records, needed: list[str]) -> None:
    for name in needed:
        if part.columns[name] is None:
            raise DataFileError(f"{file}: no column {name}; name another one with an option")


def _send(guard: Guard, part: Records, columns: list[str]) -> int:
    nothing = [None] * part.rows
    values = [part.columns[name] or nothing for name in columns]
    for i, (name, truth, predicted, score) in enumerate(zip(*values, strict=True), 1):
        given = None if predicted == "" else predicted
        guard.outcome(name, truth, y_pred=given, y_proba=read_proba(score))
        if i % (_QUEUE // 2) == 0 and not guard.flush(_FLUSH_SECONDS):
            fail("the sidecar does not acknowledge; is it running? The file may be sent again")
    if not guard.flush(_FLUSH_SECONDS):
        fail("the sidecar does not acknowledge; is it running? The file may be sent again")
    return part.rows


def _check_socket(named: str | None) -> None:
    """End if no sidecar listens on a socket, which a guard would wait for."""
    configured = Path(named) if named is not None else configured_socket()
    tried = []
    for path in [configured] if configured is not None else default_sockets():
        with sockets.socket(sockets.AF_UNIX) as connection:
            try:
                connection.connect(str(path))
            except OSError as error:
                tried.append(f"{path}: {error.strerror or error}")
            else:
                return
    fail(f"{'; '.join(tried)}; is the sidecar running? --socket names its event socket")


def _counts(url: str, path: str) -> dict[str, int] | RequestError:
    """Return how many outcomes were counted, and were not, by reason; or why it is not known."""
    try:
        found: dict[str, Any] = request(f"{url}/api/v1/models/{path}").get("outcomes") or {}
    except RequestError as error:
        if error.status != 404:
            return error
        found = {}  # no such model yet
    return {"counted": found.get("total", 0), **found.get("uncounted", {})}


def _report(
    guard: Guard,
    rows: int,
    before: dict[str, int] | RequestError,
    after: dict[str, int] | RequestError,
) -> None:
    stats = guard.stats()
    click.echo(f"{rows:,} rows, {stats.acknowledged:,} acknowledged")
    for reason, n in {**stats.rejected_by_reason, **stats.dropped_by_reason}.items():
        click.echo(f"{n:,} rejected: {reason}")
    if isinstance(before, RequestError) or isinstance(after, RequestError):
        why = before if isinstance(before, RequestError) else after
        click.echo(f"what was counted is not known: {why}; is --url the sidecar's address?")
    else:
        for reason, n in after.items():
            gained = n - before.get(reason, 0)
            if gained or reason == "counted":
                click.echo(f"{gained:,} {reason}")
    if stats.acknowledged < rows:
        sys.exit(1)
