"""`mlguard baseline show|diff|schema`: baselines as files, and those of a running sidecar."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from mlguard_sidecar.api import column_answer
from mlguard_sidecar.baseline import SCHEMA_PATH, Baseline, dump, read_file
from mlguard_sidecar.cli.client import RequestError, request
from mlguard_sidecar.cli.options import URL, fail, model_path
from mlguard_sidecar.cli.table import table
from mlguard_sidecar.statistics import difference

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHICH = "FILE|PROJECT/MODEL[/ENDPOINT]"
_CHANGES = {
    "moved": "beyond chance",
    "within_chance": "within chance",
    "too_few": "too few values",
    "new": "new",
    "gone": "gone",
    "other_kind": "another kind",
}


@click.command("show")
@click.argument("which", metavar=_WHICH)
@click.option("--json", "as_json", is_flag=True, help="Print the baseline file.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write the baseline file.")
@URL
def baseline_show(*, which: str, as_json: bool, output: Path | None, url: str) -> None:
    """Show a baseline file, or export the baseline of a model of a running sidecar."""
    found = read_baseline(which, url)
    if output is not None:
        try:
            output.write_bytes(dump(found))
        except OSError as error:
            fail(f"{output}: {error.strerror or error}")
        click.echo(f"{output}: baseline {found.id}")
    elif as_json:
        click.echo(dump(found), nl=False)
    else:
        click.echo(_shown(found))


@click.command("diff")
@click.argument("before", metavar=_WHICH)
@click.argument("after", metavar=_WHICH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--exit-code", is_flag=True, help="End with status 1 if any column has changed.")
@URL
def baseline_diff(*, before: str, after: str, as_json: bool, exit_code: bool, url: str) -> None:
    """Show which columns moved from one baseline to another, beyond chance.

    PSI is that of the second one's values in the bins of the first. A path that exists is a file,
    all else a model of a running sidecar.
    """
    first, second = read_baseline(before, url), read_baseline(after, url)
    columns = difference(first, second)
    shown = [msgspec.to_builtins(column_answer(column)) for column in columns]
    if as_json:
        answer = {"before": first.id, "after": second.id, "columns": shown}
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo(f"{first.id} ({before}) -> {second.id} ({after})\n")
        click.echo(difference_table(shown))
    if exit_code and any(column.has_changed for column in columns):
        sys.exit(1)


@click.command("schema")
def baseline_schema() -> None:
    """Print the JSON Schema of baseline files."""
    click.echo(SCHEMA_PATH.read_text(), nl=False)


def read_baseline(which: str, url: str) -> Baseline:
    """Return the baseline of a file, if the path exists, or else of a model; end if there is none.

    Args:
        which: path, or PROJECT/MODEL[/ENDPOINT].
        url: address of a running sidecar.
    """
    path = Path(which)
    try:
        if path.exists():
            return read_file(path.read_bytes())
    except OSError as error:
        fail(f"{which}: {error.strerror}")
    except ValueError as error:
        fail(f"{which}: {error}")
    if not 1 <= which.count("/") <= 2 or which.startswith("/") or which.endswith(".json"):
        fail(f"{which}: No such file or directory")
    try:
        answer = request(f"{url}/api/v1/models/{model_path(which)}/baseline")
        return read_file(json.dumps(answer).encode())
    except RequestError as error:
        fail(f"{which} is no file: {error}")
    except ValueError as error:
        fail(f"{which}: {error}")


def difference_table(columns: Sequence[dict[str, Any]]) -> str:
    """Return a table of the columns of a difference, and sentences on those that moved.

    Args:
        columns: `columns` of the API's answer.
    """
    if not columns:
        return "No columns."
    rows = [("COLUMN", "KIND", "PSI", "CHANCE", "OUTSIDE", "VALUES", "")]
    rows += [
        (
            column["name"],
            column["kind"],
            "-" if column["psi"] is None else f"{column['psi']:.3f}",
            "-" if column["psi_critical"] is None else f"{column['psi_critical']:.3f}",
            "-" if column["outside_ratio"] is None else f"{column['outside_ratio']:.1%}",
            f"{column['samples']:,}",
            _CHANGES[column["change"]],
        )
        for column in columns
    ]
    lines = [
        f"{column['name']}: {' '.join(column['sentences'])}"
        for column in columns
        if column["sentences"] and column["change"] == "moved"
    ]
    return "\n".join([table(rows), *(["", *lines] if lines else [])])


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
    lines += [
        f"{name or repr(name)} is not watched: {why}" for name, why in loaded.not_watched.items()
    ]
    return "\n".join(lines)
