"""`mlguard send`: send the events in a file."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlguard_common.web.config import KEY_VARIABLE
from mlguard_sidecar.cli.options import fail
from mlguard_sidecar.sending import (
    S3,
    CaptureReader,
    Fields,
    HttpTransport,
    LineStream,
    Patience,
    SendError,
    SocketTransport,
    Summary,
    Transport,
    check_form,
    find_socket,
    read_json_lines,
    read_rows,
    read_standard_input,
    send_stream,
    stored_files,
)
from mlguard_sidecar.training_data import DataFileError, ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDIN = "-"
_FORMATS = {".csv": "csv", ".tsv": "csv"}
_COLUMNS = ("timestamp", "latency_ms", "y_pred", "y_proba", "id")


@dataclass(frozen=True)
class _Request:
    """What is to be read.

    Attributes:
        file: a path, an address or -.
        format: ndjson, csv or sagemaker.
        fields: which columns of a table are what.
        options: how to read a table.
        feature_names: names of columns of captured rows.
        output: what captured numbers are.
        salt: makes the lines those of another file.
    """

    file: str
    format: str
    fields: Fields
    options: ReadOptions
    feature_names: tuple[str, ...]
    output: str | None
    salt: bytes


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["ndjson", "csv", "sagemaker"]),
    help="By the end of the name by default: csv for .csv and .tsv, else ndjson.",
)
@click.option("--socket", type=click.Path(path_type=Path), help="Event socket of the sidecar.")
@click.option("--url", help="Send over HTTP to this sidecar, with the key in MLGUARD_API_KEY.")
@click.option(
    "--wait",
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    type=click.FloatRange(0),
    help="How long to wait for a sidecar that restarts.",
)
@click.option("--again", is_flag=True, help="Send what was sent before, too.")
@click.option("--project", help="Project of all rows; by default the column project_id.")
@click.option("--model", help="Model of all rows; by default the column model_id.")
@click.option("--endpoint", help="Endpoint of all rows; by default the column endpoint.")
@click.option("--timestamp", metavar="COLUMN", help="Times, if not timestamp.")
@click.option("--latency-ms", metavar="COLUMN", help="Latencies, if not latency_ms.")
@click.option("--y-pred", metavar="COLUMN", help="Column of predictions, if not y_pred.")
@click.option("--y-proba", metavar="COLUMN", help="Column of probabilities, if not y_proba.")
@click.option("--id", metavar="COLUMN", help="IDs, if not id.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Omit a column.")
@click.option("--sep", metavar="CHARACTER", help="Separator; a comma by default, a tab in .tsv.")
@click.option("--encoding", help="Encoding; by its byte order mark by default, else UTF-8.")
@click.option(
    "--feature-names",
    metavar="NAME,NAME",
    default="",
    help="Names of the columns that SageMaker captured; f0, f1 and so on by default.",
)
@click.option(
    "--output",
    type=click.Choice(["y_pred", "y_proba"]),
    help="What a number that SageMaker captured is; by the first one by default.",
)
def send(
    *,
    file: str,
    format_: str | None,
    socket: Path | None,
    url: str | None,
    wait: float,
    again: bool,
    project: str | None,
    model: str | None,
    endpoint: str | None,
    drop: tuple[str, ...],
    sep: str | None,
    encoding: str | None,
    feature_names: str,
    output: str | None,
    **columns: str | None,
) -> None:
    """Send the events in FILE to a sidecar, each once.

    FILE has lines of JSON as on the event socket, rows of CSV, or what SageMaker's data capture
    wrote: then also a folder, or s3://BUCKET/PREFIX. Run the command again to go on after an error:
    what the sidecar has is not sent again.
    """
    if socket and url:
        fail("--socket and --url are two ways to a sidecar; give one")
    kind = format_ or _FORMATS.get(Path(file).suffix.lower(), "ndjson")
    given = {"project_id": project, "model_id": model, "endpoint": endpoint}
    identity = {name: value for name, value in given.items() if value is not None}
    if kind == "ndjson" and identity:
        fail("--project, --model and --endpoint: lines of JSON name their own")
    if kind == "sagemaker" and len(identity.keys() & {"project_id", "model_id"}) < 2:
        fail("--format sagemaker needs --project and --model")
    request = _Request(
        file=file,
        format=kind,
        fields=Fields(
            identity,
            {name: columns[name] or name for name in _COLUMNS},
            [name for name in _COLUMNS if columns[name] is not None],
            drop,
        ),
        options=ReadOptions("\t" if sep in {"tab", "\\t"} else sep, encoding),
        feature_names=tuple(name.strip() for name in feature_names.split(",") if name.strip()),
        output=output,
        salt=secrets.token_bytes(16) if again or file == _STDIN else b"",
    )
    summary = Summary()
    try:
        if file != _STDIN:
            check_form(Path(file), is_json_lines=kind == "ndjson")
        _send(request, _transport(socket, url, wait, summary), summary)
    except (SendError, DataFileError) as error:
        _report(summary)
        fail(str(error))
    except OSError as error:
        _report(summary)
        fail(f"{error.filename or file}: {error.strerror or error}")
    except KeyboardInterrupt:
        _report(summary)
        fail("interrupted; run the command again to go on")
    _report(summary)
    if summary.refused:
        sys.exit(1)


def _transport(socket: Path | None, url: str | None, wait: float, summary: Summary) -> Transport:
    patience = Patience(wait, lambda text: click.echo(f"mlguard: {text}", err=True))
    if url:
        return HttpTransport(url, os.environ.get(KEY_VARIABLE), patience, summary)
    return SocketTransport(socket or find_socket(), patience, summary)


def _send(request: _Request, transport: Transport, summary: Summary) -> None:
    if request.file == _STDIN:
        click.echo("mlguard: standard input is sent once, and cannot be resumed", err=True)
    with (
        _spooled(request) as path,
        click.progressbar(
            length=1000,
            label="sending",
            file=sys.stderr,
            hidden=not sys.stderr.isatty() or request.file == _STDIN,
        ) as bar,
    ):
        for stream, begin, share in _streams(request, path):

            def show(progress: float, begin: float = begin, share: float = share) -> None:
                bar.update(int((begin + progress * share) * 1000) - bar.pos)

            send_stream(stream, transport, summary, show)


@contextmanager
def _spooled(request: _Request) -> Iterator[Path]:
    """Yield the path of the file; of a copy of a table that comes on the standard input."""
    if request.file != _STDIN or request.format == "ndjson":
        yield Path(request.file)
        return
    with tempfile.NamedTemporaryFile(suffix=f".{request.format}") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)


def _streams(request: _Request, path: Path) -> Iterator[tuple[LineStream, float, float]]:
    """Yield the streams of what is to be read, each with where it begins and its share of all."""
    salt = request.salt
    if request.format == "sagemaker":
        is_remote = request.file.startswith(S3)
        files = list(stored_files(request.file if is_remote else str(path)))
        reader = CaptureReader(request.fields.identity, request.feature_names, request.output)
        total, begin = max(sum(file.size for file in files), 1), 0
        for file in files:
            blocks = partial(reader.blocks, file)
            yield LineStream(file.name, blocks, salt=salt), begin / total, file.size / total
            begin += file.size
        if request.output is None and reader.output is not None:
            text = (
                f"numbers that were captured are sent as {reader.output}; --output says otherwise"
            )
            click.echo(f"mlguard: {text}", err=True)
    elif request.format == "csv":
        is_whole = request.file == _STDIN
        blocks = partial(read_rows, path, request.options, request.fields, is_whole=is_whole)
        yield LineStream(request.file, blocks, salt=salt), 0.0, 1.0
    elif request.file == _STDIN:
        yield (
            LineStream("standard input", read_standard_input, is_repeatable=False, salt=salt),
            0.0,
            1.0,
        )
    else:
        yield LineStream(request.file, partial(read_json_lines, path), salt=salt), 0.0, 1.0


def _report(summary: Summary) -> None:
    for line in summary.text():
        click.echo(line)
