"""Explanations of drift: what is said of made changes, and how often a guess is wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from support.offline import Offline

from mlguard_sidecar.config import BaselineConfig, Config
from mlguard_sidecar.models.resolutions import DAY_SECONDS
from mlguard_sidecar.statistics import Explanation, explain

N = 1000


@pytest.fixture
def explained(tmp_path_factory):
    """Learns a baseline from values, counts others a day later, and explains the column."""
    opened: list[Offline] = []

    def run(then: list, now: list, days: int = 1) -> list[Explanation]:
        bench = Offline(
            tmp_path_factory.mktemp("explained"), Config(baseline=BaselineConfig(events=len(then)))
        )
        opened.append(bench)
        bench.send(features={"x": then})
        bench.commit()
        for _ in range(days):
            bench.now += DAY_SECONDS
            bench.send(features={"x": now})
            bench.commit()
        bench.move()
        (model,) = bench.statistics()
        return explain(model.columns, bench.days())

    yield run
    for bench in opened:
        bench.close()


def test_an_explanation_says_what_moved_since_when_and_how_sure(explained):
    rng = np.random.default_rng(1)
    then = rng.normal(15, 1, N).round(1).tolist()
    now = rng.normal(19, 1, N).round(1).tolist()
    (found,) = explained(then, now, days=3)
    assert found.since == "2027-01-16"
    where, evidence, guess = found.sentences
    above = float(where.split("lies above ")[1].split(";")[0])
    share = np.mean(np.array(now) > above)
    before = np.mean(np.array(then) > above)
    then_text = f"{before:.1%}" if before < 0.1 else f"{before:.0%}"
    assert where == f"{share:.0%} of x lies above {above:.6g}; in the baseline {then_text}."
    assert evidence.startswith("Began on 2027-01-16. Chance would reach 0.")
    assert "(1,000 values)" in evidence
    assert guess.startswith("It looks like a shift by +")
    assert float(guess.split("by ")[1].split(":")[0]) == pytest.approx(4, abs=0.2)


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


Change = Callable[[np.ndarray, np.random.Generator], list]
CHANGES: dict[str, tuple[Change, str | None]] = {
    "a factor": (lambda x, _: (x * 100).tolist(), "factor"),
    "a shift": (lambda x, _: (x + 2 * x.std()).tolist(), "shift"),
    "a spike": (lambda x, rng: np.where(rng.random(len(x)) < 0.2, -999.0, x).tolist(), "spike"),
    "a wider spread": (lambda x, _: (x.mean() + 2 * (x - x.mean())).tolist(), None),
    "a mixture": (
        lambda x, rng: np.where(rng.random(len(x)) < 0.5, x, x.mean() + 6 * x.std()).tolist(),
        None,
    ),
    "a truncation": (lambda x, _: np.minimum(x, np.quantile(x, 0.6)).tolist(), None),
}
WORDS = {"factor": "looks like a factor", "shift": "looks like a shift", "spike": "new spike"}


@pytest.mark.parametrize("what", CHANGES)
def test_a_guess_is_made_where_the_change_is_of_its_kind_and_nowhere_else(explained, what):
    change, kind = CHANGES[what]
    right = wrong = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        make = [
            lambda r: r.normal(50, 10, N),
            lambda r: r.exponential(5, N) + 1,
            lambda r: r.uniform(10, 20, N),
        ][seed % 3]
        then, now = make(rng), change(make(rng), rng)
        for found in explained(then.tolist(), now):
            said = {name for name, word in WORDS.items() if word in " ".join(found.sentences)}
            right += kind in said
            wrong += bool(said - {kind})
    # a mixture with one far value is a spike too
    assert wrong == 0 or what == "a mixture"
    assert right == (6 if kind else 0)


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
