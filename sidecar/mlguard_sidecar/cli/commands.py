"""The subcommands of `mlguard`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import mlguard as sdk
from mlguard_sidecar.api import MAX_HISTORY_DAYS
from mlguard_sidecar.cli.alerts import alerts
from mlguard_sidecar.cli.baseline import baseline
from mlguard_sidecar.cli.client import NoAnswerError, RequestError, request
from mlguard_sidecar.cli.history import history_table
from mlguard_sidecar.cli.inject import inject
from mlguard_sidecar.cli.options import URL, fail, model_path
from mlguard_sidecar.cli.outcomes import outcomes
from mlguard_sidecar.cli.rules import rules
from mlguard_sidecar.cli.send import send
from mlguard_sidecar.cli.status import status_table

_SAMPLES = 500
_SAMPLE_PAUSE_SECONDS = 0.05


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(sdk.__version__, prog_name="mlguard")
def mlguard() -> None:
    """Watch machine-learning models in production."""


mlguard.add_command(alerts)
mlguard.add_command(baseline)
mlguard.add_command(inject)
mlguard.add_command(outcomes)
mlguard.add_command(rules)
mlguard.add_command(send)


@mlguard.command()
@click.option("--keep", is_flag=True, help="Repeat the replay until Ctrl-C.")
@click.option(
    "--open", "open_pages", is_flag=True, help="Open the pages in a browser; implies --keep."
)
@click.option(
    "--listen",
    default="127.0.0.1:9520",
    show_default=True,
    metavar="HOST:PORT",
    help="Address of the sidecar; the exporter gets the next port.",
)
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Working folder; temporary by default."
)
@click.option("--seconds", default=75.0, show_default=True, help="Duration of the replay.")
@click.option(
    "--send",
    "send_to",
    metavar="URL",
    help="Only send 500 sample events to a running sidecar, with the key in MLGUARD_API_KEY.",
)
def demo(
    *,
    keep: bool,
    open_pages: bool,
    listen: str,
    folder: Path | None,
    seconds: float,
    send_to: str | None,
) -> None:
    """Run the demonstration: a real model on a year of flights, its alerts and its costs."""
    if send_to is not None:
        _send_samples(send_to.rstrip("/"))
        return
    from mlguard_demo import run  # noqa: PLC0415 - only this command needs it

    sys.exit(run(keep=keep, listen=listen, folder=folder, seconds=seconds, open_pages=open_pages))


def _send_samples(url: str) -> None:
    from mlguard_demo import send as send_samples  # noqa: PLC0415 - only this command needs it

    is_hidden = not sys.stderr.isatty()
    try:
        with click.progressbar(
            length=_SAMPLES, label="sending", file=sys.stderr, hidden=is_hidden
        ) as bar:
            counted, messages = send_samples(
                url, _SAMPLES, _SAMPLE_PAUSE_SECONDS, lambda: bar.update(1)
            )
    except RequestError as error:
        fail(str(error))
    click.echo(f"{_SAMPLES} sample events sent, {counted} counted")
    if messages:
        fail(messages[0])


@mlguard.command()
@URL
def status(*, url: str) -> None:
    """Show the models of a running sidecar."""
    try:
        click.echo(status_table(url))
    except NoAnswerError as error:
        fail(f"no sidecar answers at {url}: {error}")
    except RequestError as error:
        fail(str(error))


@mlguard.command()
@click.argument("model", metavar="PROJECT/MODEL[/ENDPOINT]")
@click.option("--days", default=14, show_default=True, type=click.IntRange(1, MAX_HISTORY_DAYS))
@URL
def history(*, model: str, days: int, url: str) -> None:
    """Show the last days of a model: volume, latency and drift."""
    try:
        answer = request(f"{url}/api/v1/models/{model_path(model)}/history?days={days}")
    except RequestError as error:
        fail(str(error))
    click.echo(history_table(answer["days"]))


@mlguard.command()
@click.argument("model", metavar="PROJECT/MODEL[/ENDPOINT]")
@URL
def explain(*, model: str, url: str) -> None:
    """Say which columns of a model have drifted, since when, and what it looks like."""
    try:
        answer = request(f"{url}/api/v1/models/{model_path(model)}/explain")
    except RequestError as error:
        fail(str(error))
    parts = ["\n".join(answer["together"])] if answer["together"] else []
    for column in answer["columns"]:
        lines = [f"{column['name']} ({column['window']})", *column["sentences"]]
        parts.append("\n  ".join(lines))
    click.echo("\n\n".join(parts) or "No column has drifted beyond chance.")


@mlguard.command()
@click.argument("model", metavar="PROJECT/MODEL[/ENDPOINT]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@URL
def forget(*, model: str, yes: bool, url: str) -> None:
    """Erase a model with all of its figures, its history and its baseline."""
    path = model_path(model)
    if not yes:
        click.confirm(f"Erase all figures of {model}?", abort=True)
    try:
        request(f"{url}/api/v1/models/{path}", method="DELETE")
    except RequestError as error:
        fail(str(error))
    click.echo(f"{model}: erased")
