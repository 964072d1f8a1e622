"""Explanations of drift: what is said of made changes, and how often a guess is wrong."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from support import changes, explaining
from support.offline import KEY, NOW, Offline

from mlguard_sidecar.config import BaselineConfig, Config
from mlguard_sidecar.models import learn_again
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.statistics import (
    ChangeKind,
    Explanation,
    explain,
    explanation_of,
    moved_together,
)
from mlguard_sidecar.statistics.wording import percent

N = 1000
FIRST_DAY = NOW - NOW % DAY_SECONDS


@pytest.fixture
def explained(tmp_path):
    """Learns a baseline from values, counts others a day later, and explains the column."""

    def run(then: list, now: list, days: int = 1) -> list[Explanation]:
        with TemporaryDirectory(dir=tmp_path) as folder:
            return explaining.explained(Path(folder), then, now, days)

    return run


def test_an_explanation_says_what_moved_since_when_and_how_sure(explained):
    rng = np.random.default_rng(1)
    then = rng.normal(15, 1, N).round(1).tolist()
    now = rng.normal(19, 1, N).round(1).tolist()
    (found,) = explained(then, now, days=3)
    assert found.since == "2027-01-16"
    where, evidence, guess = found.sentences
    gained, lost = where.split(". ")[0] + ".", where.split(". ", 1)[1]
    above = float(gained.split("lie above ")[1].split(";")[0])
    share = np.mean(np.array(now) > above)
    before = np.mean(np.array(then) > above)
    assert where.startswith(
        f"{percent(share)} of x lie above {above:.6g}; in the baseline {percent(before)}."
    )
    assert "in the baseline" in lost
    assert evidence.startswith("Began on 2027-01-16. Chance would reach 0.")
    assert "(1,000 values)" in evidence
    assert guess.startswith("It looks like a shift by +")
    assert found.guess is ChangeKind.SHIFT


def test_without_drift_nothing_is_said(explained):
    rng = np.random.default_rng(2)
    assert explained(rng.normal(size=N).tolist(), rng.normal(size=N).tolist()) == []


def test_categories_are_named_with_their_shares(explained):
    rng = np.random.default_rng(3)
    then = rng.choice(["CA", "US", "MX"], N, p=[0.6, 0.3, 0.1]).tolist()
    now = rng.choice(["CA", "US", "MX"], N, p=[0.1, 0.3, 0.6]).tolist()
    (found,) = explained(then, now)
    share, before = now.count("MX") / N, then.count("MX") / N
    assert f"'MX' has {share:.0%}, in the baseline {before:.0%}" in found.sentences[0].replace(
        f"{before:.1%}", f"{before:.0%}"
    )


def test_missing_values_are_said_too(explained):
    rng = np.random.default_rng(4)
    then = rng.normal(size=N).tolist()
    now = [v if i % 2 else None for i, v in enumerate(rng.normal(3, 1, 2 * N).tolist())]
    (found,) = explained(then, now)
    assert "50% are missing, in the baseline 0.0%." in found.sentences


SEEDS = range(3)


def guesses(tmp_path, change, columns) -> Counter[ChangeKind | None]:
    """Count what is guessed of a change of each of the columns."""
    said: Counter[ChangeKind | None] = Counter()
    for i, make in enumerate(columns):
        for seed in SEEDS:
            rng = np.random.default_rng([seed, i])
            then = make(rng, N).tolist()
            with TemporaryDirectory(dir=tmp_path) as folder:
                said[explaining.guess_of(Path(folder), then, change(make(rng, 2 * N), rng))] += 1
    return said


@pytest.mark.parametrize("what", changes.CHANGES)
def test_a_guess_is_made_where_the_change_is_of_its_kind_and_nowhere_else(tmp_path, what):
    change, kind = changes.CHANGES[what]
    said = guesses(tmp_path, change, changes.COLUMNS.values())
    right = said.pop(kind, 0)
    silent = said.pop(None, 0)
    # half of an exponential, and a symmetric column upside down, are shifts
    may_shift = what in {"the upper half alone", "upside down"}
    wrong = sum(n for k, n in said.items() if not (may_shift and k is ChangeKind.SHIFT))
    assert wrong == 0
    assert kind is None or right >= 2 * silent


@pytest.mark.parametrize("what", [*changes.MISSING, *changes.CATEGORIES])
def test_guesses_about_single_values_and_categories_are_right(tmp_path, what):
    change, kind = (changes.MISSING | changes.CATEGORIES)[what]
    columns = [changes.plans] if what in changes.CATEGORIES else changes.REPEATED
    assert guesses(tmp_path, change, columns) == {kind: len(SEEDS) * len(columns)}


def test_the_value_that_went_missing_is_named(explained):
    rng = np.random.default_rng(9)
    then = np.where(rng.random(N) < 0.3, 0.0, rng.gamma(2, 30, N)).tolist()
    now = [v or None for v in np.where(rng.random(N) < 0.3, 0.0, rng.gamma(2, 30, N)).tolist()]
    (found,) = explained(then, now)
    assert found.sentences[-1].startswith("It looks as if 0 is now missing: ")
    (found,) = explained(now, then)
    assert found.sentences[-1].startswith("It looks as if what was missing is now 0: ")


def test_a_day_that_drifted_the_other_way_is_not_the_beginning(tmp_path):
    """Weather: a day is not a sample of the month, in whichever direction it differs."""
    rng = np.random.default_rng(11)
    bench = Offline(tmp_path, Config(baseline=BaselineConfig(events=10 * N)))
    bench.now -= bench.now % DAY_SECONDS
    for day in range(20):
        bench.now += DAY_SECONDS
        warmer = 4.0 if day >= 15 else 0.0
        values = rng.normal([3, -3][day % 2], 1, N)
        bench.send(features={"x": values.tolist(), "y": (values + 2 * warmer).tolist()})
        bench.commit()
    bench.move()
    (model,) = bench.statistics()
    found = {each.column.column.name: each for each in explain(model.columns, bench.days())}
    bench.close()
    assert found["x"].since == "2027-02-04", "the day before lay on the other side"
    assert found["y"].since is not None


def test_the_factor_is_written_as_people_do(explained):
    rng = np.random.default_rng(12)
    then = rng.gamma(4, 6, N)
    (found,) = explained(then.tolist(), (rng.gamma(4, 6, N) * 100).tolist())
    assert re.match(r"It looks like a factor of about (9\d|1\d\d): ", found.sentences[-1])


def test_a_constant_that_changed_is_said_without_a_rest_that_kept_its_shape(explained):
    (found,) = explained([1.0] * N, [2.0] * N)
    assert found.sentences[0] == (
        "100% of x lie above 1; in the baseline 0.0%. 0.0% are 1; in the baseline 100%."
    )
    assert "rest" not in " ".join(found.sentences)


def test_large_numbers_are_written_out(explained):
    rng = np.random.default_rng(13)
    then = rng.uniform(1.8e9, 1.8e9 + 86_400, N)
    now = rng.uniform(1.8e9 + 2 * 86_400, 1.8e9 + 3 * 86_400, N)
    (found,) = explained(then.tolist(), now.tolist())
    text = " ".join(found.sentences)
    assert "e+" not in text
    assert re.search(r"lie above 18000\d{5}; ", text)
    assert re.search(r"It looks like a shift by \+17\d000: ", text)


def test_days_that_were_compared_with_another_baseline_are_no_beginning(tmp_path):
    rng = np.random.default_rng(14)
    bench = Offline(tmp_path, Config(baseline=BaselineConfig(events=N)))
    bench.now -= bench.now % DAY_SECONDS - 3600
    for day in range(9):
        moved = [0, 0, 3, 3, 3, 3, 9, 9, 9][day]
        if day == 5:
            learn_again(bench.registry, KEY)
        bench.send(features={"x": rng.normal(moved, 1, N).tolist()})
        bench.commit()
        bench.now += DAY_SECONDS
    bench.now -= DAY_SECONDS
    bench.move()
    (model,) = bench.statistics()
    (found,) = explain(model.columns, bench.days(), model.schema.binning)
    first = FIRST_DAY + 6 * DAY_SECONDS
    assert found.since == time.strftime("%Y-%m-%d", time.gmtime(first))
    bench.close()


def test_columns_that_began_to_move_on_one_day_are_named_in_one_line(tmp_path):
    rng = np.random.default_rng(8)
    bench = Offline(tmp_path, Config(baseline=BaselineConfig(events=N)))
    names = ["a", "b", "c"]
    bench.send(features={name: rng.normal(size=N).tolist() for name in names})
    for _ in range(3):
        bench.now += DAY_SECONDS
        moved = {name: rng.normal(3 * (name != "c"), 1, N).tolist() for name in names}
        bench.send(features=moved)
        bench.commit()
    bench.move()
    (model,) = bench.statistics()
    found = explain(model.columns, bench.days())
    assert moved_together(found) == ["2 columns began to move on 2027-01-16: a, b."]
    labels = {"project": "p", "model": "m", "model_endpoint": "predict", "kind": "feature"}
    text = explanation_of({**labels, "feature": "a"}, [model])
    assert "of a lie above" in text
    assert "shift" in text
    assert explanation_of({**labels, "feature": "c"}, [model]) == ""
    assert explanation_of({**labels, "feature": "a", "model": "other"}, [model]) == ""
    assert explanation_of({}, [model]) == ""
    bench.close()


def test_a_renamed_category_is_recognized(explained):
    rng = np.random.default_rng(5)
    names = ["basic", "plus", "pro"]
    then = rng.choice(names, N, p=[0.5, 0.3, 0.2]).tolist()
    now = ["premium" if v == "plus" else v for v in rng.choice(names, N, p=[0.5, 0.3, 0.2])]
    (found,) = explained(then, now)
    assert "It looks as if 'plus' is now called 'premium'." in found.sentences
    others = rng.choice([*names, "new"], N, p=[0.2, 0.3, 0.2, 0.3]).tolist()
    (found,) = explained(then, others)
    assert not any("is now called" in sentence for sentence in found.sentences)
