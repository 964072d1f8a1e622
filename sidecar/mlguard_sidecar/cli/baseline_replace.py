"""`mlguard baseline promote|relearn`: another baseline for a model of a running sidecar."""

from __future__ import annotations

import click

from mlguard_sidecar.cli.baseline_compare import difference_table
from mlguard_sidecar.cli.client import RequestError, request
from mlguard_sidecar.cli.options import URL, fail, model_path

_SECONDS = 30.0


@click.command("promote")
@click.argument("model", metavar="PROJECT/MODEL[/ENDPOINT]")
@click.option("--window", metavar="WINDOW", help="Window of features; 24h by default.")
@click.option("--day", metavar="YYYY-MM-DD", help="A UTC day instead.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@URL
def baseline_promote(
    *, model: str, window: str | None, day: str | None, yes: bool, url: str
) -> None:
    """Make a live window, or a day, the baseline of a model.

    It is shown beside the present one first.
    """
    if window is not None and day is not None:
        fail("expected either --window or --day")
    asked = {"window": window or "24h"} if day is None else {"day": day}
    path = f"{url}/api/v1/models/{model_path(model)}/baseline/promote"
    try:
        seen = request(path, {**asked, "dry_run": True}, seconds=_SECONDS)
        present, new = seen["replaced"], seen["baseline"]
        click.echo(
            f"{present['id']} ({present['source']}, {present['samples']:,} rows) ->"
            f" {new['id']} ({new['source']}, {new['samples']:,} rows)\n"
        )
        click.echo(difference_table(seen["columns"]))
        if new["outcomes"]:
            click.echo(
                f"\nthe quality over {new['outcomes']:,} outcomes stays that of {present['id']}"
            )
        if seen["refused"]:
            fail(f"{model}: {seen['refused']}")
        if not yes:
            click.confirm(f"\nMake it the baseline of {model}?", abort=True)
        done = request(path, asked, seconds=_SECONDS)
    except RequestError as error:
        fail(str(error))
    click.echo(f"{model}: baseline {done['baseline']['id']} is in use")


@click.command("relearn")
@click.argument("model", metavar="PROJECT/MODEL[/ENDPOINT]")
@URL
def baseline_relearn(*, model: str, url: str) -> None:
    """Learn the baseline of a model again, from its next events.

    The present one stays in use until then.
    """
    path = model_path(model)
    try:
        answer = request(f"{url}/api/v1/models/{path}/baseline/relearn", method="POST")
    except RequestError as error:
        fail(str(error))
    click.echo(
        f"{model}: the baseline is learnt again from the next"
        f" {answer['events']:,} events; until then the present one stays in use"
    )
