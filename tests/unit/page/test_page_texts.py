"""Figures of the pages as texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_common.page import texts

UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
DURATIONS = {"µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86_400}
MINUS = "\N{MINUS SIGN}"
FIGURES = (texts.count, texts.rate, texts.number, texts.percent, texts.index, texts.times,
           texts.seconds, texts.dollars)  # fmt: skip


def parts(text: str) -> tuple[float, str]:
    """Number and unit of a text."""
    found = re.fullmatch(rf"[<>]?\s?({MINUS}|-)?\$?([\d,.]+(?:e[+-]\d+)?)\s?(\D*)", text)
    assert found, text
    return float(found[2].replace(",", "")) * (-1 if found[1] else 1), found[3]


@pytest.mark.parametrize("figure", FIGURES)
def test_what_is_not_known_has_no_digits(figure):
    for value in (None, float("nan"), float("inf"), float("-inf")):
        assert figure(value) == "\N{EN DASH}"


@pytest.mark.parametrize("figure", FIGURES)
@given(st.floats(-0.5, 0.5) | st.sampled_from([0.0, -0.0, -1e-17, 5e-324, -5e-324]))
def test_nothing_is_less_than_nothing(figure, value):
    if figure in (texts.rate, texts.times, texts.seconds, texts.index):
        value = abs(value)
    text = figure(value)
    if text.startswith(("-", MINUS)):
        assert parts(text)[0] < 0, "no minus before a zero"
    assert "nan" not in text


@given(st.floats(0, 1e14) | st.integers(0, 10**14))
def test_a_count_keeps_three_digits_and_has_no_exponent(value):
    text = texts.count(value)
    shown, unit = parts(text)
    assert "e" not in text
    assert shown * UNITS[unit] == pytest.approx(value, rel=0.005, abs=0.5)
    assert shown < (10_000 if not unit else 1000)
    assert len(re.sub(r"\D", "", text).lstrip("0")) <= (4 if not unit else 3)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.4, "0"), (9999, "9,999"), (9999.6, "10 k"), (12_345, "12.3 k"),
     (999_499, "999 k"), (999_600, "1 M"), (999_950_000, "1 G"), (2.5e15, "2,500 T")],
)  # fmt: skip
def test_counts(value, text):
    assert texts.count(value).replace("\N{NO-BREAK SPACE}", " ") == text


@given(st.floats(1e-7, 1e9))
def test_a_duration_keeps_three_digits_in_the_unit_that_fits(value):
    shown, unit = parts(texts.seconds(value))
    assert shown * DURATIONS[unit] == pytest.approx(value, rel=0.0051, abs=5e-9)
    assert shown < {"µs": 1000, "ms": 1000, "s": 100, "min": 60, "h": 24}.get(unit, 1e9)


@given(st.floats(-10, 1e8))
def test_an_age_is_never_rounded_up(value):
    shown, unit = parts(texts.ago(value))
    assert shown * DURATIONS[unit] <= max(value, 0) < (shown + 1) * DURATIONS[unit] or value < 1
    assert shown < {"s": 60, "min": 60, "h": 24}.get(unit, 1e9)


@given(st.floats(-1e3, 1e3))
def test_a_share_is_not_said_to_be_what_it_only_nearly_is(value):
    text = texts.percent(value)
    shown, _ = parts(text)
    if text.startswith("<"):
        assert 0 < value < 0.0005
    elif text.startswith(">"):
        assert shown / 100 < value < shown / 100 + 0.01
    else:
        assert shown / 100 == pytest.approx(value, abs=0.0051)
        if shown in (0, 100):
            assert value == shown / 100 or -0.0005 < value < 0, text


@given(st.floats(0.001, 1e7))
def test_an_index_and_a_factor_have_no_exponent(value):
    for text, relative in ((texts.index(value), 0.006), (texts.rate(value), 0.06)):
        assert "e" not in text
        shown, unit = parts(text)
        assert shown * UNITS[unit] == pytest.approx(value, rel=relative)


@given(st.floats(-1e9, 1e9))
def test_money_keeps_its_first_digits(value):
    text = texts.dollars(value)
    shown, _ = parts(text)
    assert "e" not in text
    close = 0.5 if abs(shown) >= 1000 else 0.005
    assert shown == pytest.approx(value, abs=close * 1.000001)
    assert (shown == 0) == (value == 0), "what costs something is not shown as nothing"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0.00"), (0.0008, "$0.0008"), (0.005, "$0.01"), (-0.001, f"{MINUS}$0.001"),
     (999.994, "$999.99"), (999.995, "$1,000"), (-1234.4, f"{MINUS}$1,234")],
)  # fmt: skip
def test_money(value, text):
    assert texts.dollars(value) == text


@given(st.floats(-1e300, 1e300))
def test_a_number_keeps_four_digits(value):
    text = texts.number(value)
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.00051)
    assert "e" not in text or not 1e-4 <= abs(value) < 9_999_000
