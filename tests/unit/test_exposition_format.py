"""The text format is the library's, byte for byte."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import METRIC_TYPES, Metric
from prometheus_client.samples import Sample

from mlguard_common.exposition import accepts_only_openmetrics, text_format
from mlguard_common.metrics import Families, MetricDefinition

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\\n"{},= ')
TEXTS = st.text(CHARACTERS, max_size=12)
ODD = st.sampled_from([math.inf, -math.inf, math.nan, 1e6, 0, -0.0])
VALUES = st.integers() | st.floats() | ODD
VALUES = VALUES.filter(lambda v: abs(v) < 1e308 or not isinstance(v, int))
SUFFIXES = ("", "_total", "_created", "_sum", "_count", "_bucket", "_gsum", "_gcount", "_info")


@st.composite
def families(draw) -> Metric:
    family = Metric(draw(NAMES), draw(TEXTS), draw(st.sampled_from(METRIC_TYPES)))
    for _ in range(draw(st.integers(0, 4))):
        name = family.name + draw(st.sampled_from(SUFFIXES))
        labels = draw(st.dictionaries(NAMES, TEXTS, max_size=4))
        when = draw(st.none() | st.floats(-1e9, 1e10))
        family.samples.append(Sample(name, labels, draw(VALUES), when))
    return family


class Registry:
    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> list[Metric]:
        return self.families


@given(st.lists(families(), max_size=4))
def test_a_page_is_the_library_s(found):
    assert "".join(map(text_format, found)).encode() == generate_latest(Registry(found))


def test_a_family_without_samples_shows_what_it_is():
    empty = MetricDefinition("mlguard_x_total", "counter", "A \\ and\na line.").family()
    lines = [r"# HELP mlguard_x_total A \\ and\na line.", "# TYPE mlguard_x_total counter", ""]
    assert text_format(empty).split("\n") == lines
    assert text_format(empty).encode() == generate_latest(Registry([empty]))


def test_families_come_in_the_order_of_their_definitions():
    first, second = (MetricDefinition(name, "gauge", "") for name in ("b", "a"))
    made = Families((first, second))
    made.add(second, (), 1)
    assert [family.name for family in made] == ["a"]
    more = Families((first, second))
    more.add(first, (), 2)
    made.extend(more)
    assert [family.name for family in made] == ["b", "a"]


def test_openmetrics_only_where_nothing_else_is_accepted():
    prometheus = (
        "application/openmetrics-text;version=1.0.0;q=0.5,"
        "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    )
    assert not accepts_only_openmetrics(prometheus)
    assert not accepts_only_openmetrics("")
    assert not accepts_only_openmetrics("*/*")
    assert accepts_only_openmetrics("application/openmetrics-text; version=1.0.0")
