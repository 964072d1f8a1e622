"""`mlguard rules`: check, test and explain alert rules."""

from __future__ import annotations

import difflib
import logging
import sys
from pathlib import Path

import click

from mlguard_rules.rulefile import AlertRule, RuleFileError, read_rules
from mlguard_rules.ruletest import load_tests, run
from mlguard_rules.runbook import runbook_sections


@click.group()
def rules() -> None:
    """Check, test and explain alert rules."""


@rules.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def rules_check(*, files: tuple[Path, ...]) -> None:
    """Check that the embedded engine can evaluate the rules of FILES."""
    failed = False
    for file in files:
        try:
            found = read_rules(file)
        except RuleFileError as error:
            click.echo(f"mlguard: {error}", err=True)
            failed = True
            continue
        for refusal in found.errors:
            click.echo(f"mlguard: {refusal}", err=True)
        failed |= bool(found.errors)
        usable = [rule for group in found.groups for rule in group.rules]
        alerts = sum(isinstance(rule, AlertRule) for rule in usable)
        rest = f"{len(found.errors)} refusals" if found.errors else "all usable"
        click.echo(f"{file}: {alerts} alerts, {len(usable) - alerts} recording rules, {rest}")
    sys.exit(1 if failed else 0)


@rules.command("explain")
@click.argument("alert")
def rules_explain(*, alert: str) -> None:
    """Print the runbook of a bundled ALERT, such as MLGuardFeatureDrift."""
    known = runbook_sections()
    found = next((name for name in known if name.lower() == alert.lower()), None)
    if found is None:
        near = difflib.get_close_matches(alert, known, n=3, cutoff=0.4) or sorted(known)
        click.echo(f"mlguard: no alert {alert}; did you mean {', '.join(near)}?", err=True)
        sys.exit(2)
    click.echo(f"{found}\n\n{known[found]}")


@rules.command("test")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def rules_test(*, files: tuple[Path, ...]) -> None:
    """Run promtool's unit tests of rules in FILES with the embedded engine."""
    logging.getLogger("mlguard_rules").addHandler(
        logging.NullHandler()
    )  # it is reported as a failed check
    failed = False
    for file in files:
        try:
            differences = run(load_tests(file))
        except RuleFileError as error:
            click.echo(f"mlguard: {error}", err=True)
            failed = True
            continue
        if not differences:
            click.echo(f"{file}: SUCCESS")
        for difference in differences:
            click.echo(f"{file}:{difference}")
            failed = True
    sys.exit(1 if failed else 0)
