"""Geometry of the charts."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlguard_common.page import Limit, Series, paired_bars, sparkline, texts, time_chart
from mlguard_common.page.paths import HEIGHT, WIDTH
from mlguard_common.page.scale import MAX, scale_of

FLOATS = st.floats() | st.floats(-1e3, 1e3)
SHARES = st.floats(0, 1)
STEP = 3600


def points(path: str) -> list[tuple[float, float]]:
    """The points that a path of M, L, H, V, h and z passes."""
    x = y = 0.0
    found = []
    for command, inner in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = [float(text) for text in inner.split()]
        assert all(map(math.isfinite, numbers)), path
        match command:
            case "M" | "L":
                x, y = numbers
            case "H":
                (x,) = numbers
            case "V":
                (y,) = numbers
            case "h":
                x += numbers[0]
            case _:
                assert command == "z", path
        found.append((x, y))
    return found


def stay_within(path: str, width: float, height: float) -> None:
    assert "nan" not in path
    assert "inf" not in path
    for x, y in points(path):
        assert -0.11 <= x <= width + 0.11, path
        assert 0 <= y <= height, path


@st.composite
def charts(draw):
    n = draw(st.integers(0, 30))
    kind = draw(st.sampled_from(["line", "bars", "stack"]))
    one = SHARES if kind == "stack" else st.floats(0, 1e9) if kind == "bars" else FLOATS
    values = st.lists(st.none() | one, min_size=n, max_size=n)
    count = 1 if kind == "bars" else draw(st.integers(1, 3))
    bands = values if kind == "line" else st.just([])
    series = [Series(f"s{i}", draw(values), draw(bands | st.just([]))) for i in range(count)]
    return time_chart(
        "Title",
        [float(i * STEP) for i in range(n)],
        STEP,
        series,
        texts.number,
        kind=kind,
        limits=[Limit("limit", draw(st.floats(0, 1e6)))] if kind == "line" else [],
        from_zero=draw(st.booleans()) or kind != "line",
    ), series


@given(charts())
def test_all_that_is_drawn_is_within_the_plot(drawn):
    chart, series = drawn
    for shape in chart.shapes:
        stay_within(shape.path, WIDTH, HEIGHT)
    assert len(chart.marks) == len(chart.grid)
    assert len(set(chart.marks)) == len(chart.marks), "marks can be told apart"
    assert [chart.grid[0], chart.grid[-1]] == [0, HEIGHT]
    gaps = [b - a for a, b in itertools.pairwise(chart.grid)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps), abs=0.11)
    known = [v for each in series for v in each.values if v is not None and abs(v) <= MAX]
    assert chart.is_empty == (not known)
    assert not any("nan" in slot.text or "inf" in slot.text for slot in chart.slots)


@given(charts())
def test_the_slots_cover_the_time_once(drawn):
    chart, series = drawn
    assert sum(slot.width for slot in chart.slots) == pytest.approx(
        WIDTH if len(series[0].values) else 0, abs=0.1 * len(chart.slots) + 0.1
    )
    for a, b in itertools.pairwise(chart.slots):
        assert b.x == pytest.approx(a.x + a.width, abs=0.2)


@given(st.floats(-MAX, MAX), st.floats(-MAX, MAX), st.booleans())
@example(1e17, 1e17, False)
@example(0.0, 5e-324, False)
@example(-MAX, MAX, False)
@example(1.0, 1.0 + 3e-16, False)
@example(0.0, 1.0, True)
def test_a_scale_covers_its_range_with_a_few_round_marks(one, other, is_whole):
    low, high = sorted((one, other))
    scale = scale_of(low, high, is_whole=is_whole)
    slack = 1e-6 * scale.step
    assert scale.low - slack <= low
    assert scale.high + slack >= high
    assert 2 <= len(scale.marks) <= 6
    mantissa = float(f"{scale.step:e}".partition("e")[0])
    assert mantissa in (1, 2, 5)
    for mark in scale.marks:
        assert round(mark / scale.step) == pytest.approx(mark / scale.step, rel=1e-9)
    if is_whole:
        assert scale.step >= 1
    assert scale.position(scale.low) == 0
    assert scale.position(scale.high) == 1


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0, 1, [0, 0.5, 1]),
        (0, 0.3, [0, 0.1, 0.2, 0.3]),
        (0, 7, [0, 5, 10]),
        (-0.3, 0.1, [-0.4, -0.2, 0, 0.2]),
        (5, 5, [2, 4, 6, 8]),
        (0, 0, [0, 0.5, 1]),
    ],
)
def test_marks(low, high, marks):
    assert scale_of(low, high).marks == pytest.approx(marks)


def test_marks_of_large_values_that_hardly_differ_can_be_told_apart():
    chart = time_chart(
        "Year", [0.0, 1.0], 1, [Series("mean", [2013.0, 2013.4])], texts.number, from_zero=False
    )
    assert chart.marks == ["2,013.4", "2,013.2", "2,013.0"]


def test_few_inferences_have_whole_marks():
    chart = time_chart("N", [0.0], 1, [Series("n", [1.0])], texts.count, kind="bars")
    assert chart.marks == ["1", "0"]


def test_a_line_has_a_gap_where_a_value_is_missing():
    chart = time_chart(
        "T", [0.0, 1, 2, 3, 4], 1, [Series("s", [1, 2, None, 4, None])], texts.number
    )
    (shape,) = chart.shapes
    assert shape.path.count("M") == 2, "two runs"
    assert shape.path.count("L") == 1
    assert shape.path.endswith("h0.01"), "a single point is a dot"
    assert [bool(slot.text) for slot in chart.slots] == [True, True, False, True, False]
    assert chart.summary == "last, 00:00 UTC: s 4"


def test_a_slot_of_many_points_says_the_last_one_that_is_known():
    values = [None] * 400
    values[100], values[101] = 5.0, 6.0
    chart = time_chart(
        "T", [86_400.0 * i for i in range(400)], 86_400, [Series("s", values)], texts.number
    )
    assert len(chart.slots) <= 72
    assert [slot.text for slot in chart.slots if slot.text] == ["12\N{NO-BREAK SPACE}Apr: s 6"]
    assert chart.summary == "last, 12\N{NO-BREAK SPACE}Apr: s 6"


@pytest.mark.parametrize("values", [[], [None], [None, float("nan"), float("inf")]])
def test_a_chart_of_nothing_says_so(values):
    chart = time_chart("T", [float(i) for i in range(len(values))], 1, [Series("s", values)],
                       texts.number)  # fmt: skip
    assert chart.is_empty
    assert chart.summary == "nothing"


@given(st.lists(st.none() | st.floats(0, 1e12), max_size=30))
def test_a_small_line_stays_within(values):
    stay_within(sparkline(values), 100, 24)


@given(st.integers(1, 60).flatmap(
    lambda n: st.tuples(*[st.lists(SHARES, min_size=n, max_size=n)] * 2)))  # fmt: skip
def test_bars_side_by_side_are_as_high_as_their_shares(both):
    before, now = both
    highest = max([*before, *now])
    for shares, path in zip(both, paired_bars(before, now), strict=True):
        stay_within(path, 100, 24)
        tops = [min(y for _, y in points(bar)) for bar in re.findall(r"M[^M]*", path)]
        wanted = [24 * (1 - share / highest) for share in shares if share > 0]
        if highest > 1e-9:
            assert tops == pytest.approx(wanted, abs=0.051)
