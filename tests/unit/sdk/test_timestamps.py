"""Texts of times: the SDK reads what datetime.fromisoformat reads, as the sidecar does."""

import itertools
import sys
from datetime import datetime, timedelta, timezone

import pytest

from mlguard import timestamps
from mlguard.timestamps import epoch_seconds, is_naive

SEPARATORS = ["T", "t", " "]
CLOCKS = ["00:00:00", "23:59:59", "12:34:56", "000000", "123456", "24:00:00", "12:60:00", "1:2:3"]
FRACTIONS = ["", ".5", ",5", ".123", ".123456", ".123456789", ".x"]
OFFSETS = [
    *("", "Z", "+09:00", "+0900", "+09", "-05:30", "-0530", "+00:00", "-00:00", "+23:59"),
    *("+09:00:30", "+090030", "+24:00", "+9", "+090", "+09:0030", " +09:00", "ZZ", "+", "UTC"),
]
FAMILY = ["".join(parts) for parts in itertools.product(SEPARATORS, CLOCKS, FRACTIONS, OFFSETS)]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="fromisoformat reads less in Python 3.10")
@pytest.mark.parametrize("date", ["2026-01-01", "2024-02-29", "2026-02-29", "2026-1-1", "20260101"])
def test_texts_are_read_as_fromisoformat_reads_them(date):
    differ = []
    for rest in FAMILY:
        text = date + rest
        if seconds(text) != pytest.approx(expected(text), abs=1e-5, nan_ok=True):
            differ.append((text, seconds(text), expected(text)))
    assert [each for each in differ if not is_accepted_beyond(each[0])] == []


def is_accepted_beyond(text):
    """Dates without hyphens are ISO 8601, but not RFC 3339; a zone after a space is neither."""
    return "-" not in text[:8] or " +" in text[11:]


def seconds(text):
    try:
        return epoch_seconds(text)
    except ValueError:
        return float("nan")


def expected(text):
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return float("nan")
    return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00",
        "2026-01-01T00:00Z",
        "2026-01-01",
        "2026-01-01T00",
        "",
        "now",
        "1767225600",
    ],
)
def test_a_time_without_seconds_is_none(text):
    with pytest.raises(ValueError, match="RFC 3339"):
        epoch_seconds(text)


def test_digits_of_other_scripts_are_none():
    with pytest.raises(ValueError, match="RFC 3339"):
        epoch_seconds("٢٠٢٦-01-01T00:00:00Z")


def test_what_fromisoformat_does_not_read_is_read_without_it(monkeypatch):
    class Older(datetime):
        @classmethod
        def fromisoformat(cls, text):
            raise ValueError(text)

    monkeypatch.setattr(timestamps, "datetime", Older)
    for text in ("2026-01-01T09:00:00.5+0900", "2025-12-31 19:00:00,5-05", "2026-01-01T00:00:00.5"):
        assert epoch_seconds(text) == 1767225600.5


@pytest.mark.parametrize("clock", ["T23:59:60Z", "T235960Z"])
def test_a_leap_second_is_the_first_of_the_next_minute(clock):
    assert epoch_seconds(f"2025-12-31{clock}") == 1767225600.0


@pytest.mark.parametrize(
    ("value", "naive"),
    [
        ("2026-01-01T00:00:00", True),
        ("2026-01-01 00:00:00.5", True),
        ("2026-01-01T000000", True),
        ("2026-01-01T00:00:00Z", False),
        ("2026-01-01T000000z", False),
        ("2026-01-01T00:00:00.5-0530", False),
        (datetime(2026, 1, 1), True),  # noqa: DTZ001 - the question
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9))), False),
        (1767225600, False),
        (1767225600.5, False),
    ],
)
def test_naive_times_are_those_without_an_offset(value, naive):
    assert is_naive(value) == naive
