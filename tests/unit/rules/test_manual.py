"""The manual names every function that the engine has, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlguard_rules.errors import TemplateError, UnsupportedError
from mlguard_rules.promql import compile_expression
from mlguard_rules.promql.aggregation import AGGREGATIONS
from mlguard_rules.promql.arithmetic import FUNCTIONS
from mlguard_rules.promql.dates import DATE_FUNCTIONS
from mlguard_rules.promql.ranges import RANGE_FUNCTIONS
from mlguard_rules.templates import parse
from mlguard_rules.templates.functions import FUNCTIONS as TEMPLATE_FUNCTIONS

MANUAL = (Path(__file__).parents[3] / "rules" / "README.md").read_text()


def section(begin: str, end: str) -> str:
    return MANUAL[MANUAL.index(begin) : MANUAL.index(end)]


def named(text: str) -> set[str]:
    return {name for quoted in re.findall("`([^`]+)`", text) for name in quoted.split()}


def is_known(name: str) -> bool:
    try:
        compile_expression(f"{name}()")
    except UnsupportedError as error:
        return "unknown function" not in str(error) and "is outside" not in str(error)
    return True


def test_the_functions_of_promql_are_named():
    table = section("| aggregations, with", "It refuses everything else")
    over_time = {
        f"{name}_over_time"
        for name in named(section("| over time", "| histograms")) - {"_over_time"}
    }
    listed = named(table) | over_time
    functions = {*AGGREGATIONS, *FUNCTIONS, *DATE_FUNCTIONS, *RANGE_FUNCTIONS}
    assert functions <= listed
    others = named(section("| aggregations, with", "| over time")) | over_time
    others |= named(section("| histograms", "It refuses everything else"))
    assert {name for name in others - {"by", "without"} if not is_known(name)} == set()


def test_the_functions_of_templates_are_named():
    listed = named(section("Labels and annotations are templates", "`$externalLabels`"))
    assert set(TEMPLATE_FUNCTIONS) == listed - {"if", "with", "range"}


def test_what_templates_refuse_is_named():
    refused = named(section("Prometheus accepts more, which", "Rule files are read as by"))
    assert "slice" in refused
    for name in refused:
        with pytest.raises(TemplateError):
            parse(f"{{{{ {name} }}}}")
