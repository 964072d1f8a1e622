"""Which spikes are reported where spend moves, begins, ends and varies, over two weeks."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
from support.account_costs import Owner, account_costs_of

from mlguard_exporter.analysis.anomalies import detect_anomalies
from mlguard_exporter.spikes import SpikeConfig

BEFORE, AFTER = 100, 12
FIRST = date(2027, 2, 1)
T = FIRST + timedelta(days=BEFORE)
"""The day on which something happens; reported days are counted from it."""


class World:
    """Spend by day, counted from T, of owners and services."""

    def __init__(self, *ordinary: tuple[str, ...]) -> None:
        self.costs: defaultdict[tuple[Owner, str, date], Decimal] = defaultdict(Decimal)
        self.add(("other", "fraud", "predict"), 60)
        for owner in ordinary:
            self.add(owner, 80)

    def add(self, owner, amount, first=-BEFORE, last=AFTER, service="Amazon SageMaker") -> World:
        """Let an owner cost more from one day to another, each time an amount or what makes it."""
        named = (*owner, "", "", "")[:3]
        for n in range(first, last + 1):
            cost = Decimal(f"{amount(n) if callable(amount) else amount:.2f}")
            self.costs[named, service, T + timedelta(days=n)] += cost
        return self

    def reported(self, **config) -> list[tuple[int, str]]:
        """Days and names of all that is reported in the two weeks."""
        days = [FIRST + timedelta(days=n) for n in range(BEFORE + AFTER + 1)]
        found = []
        for one in detect_anomalies(account_costs_of(self.costs, days), SpikeConfig(**config)):
            series = one.subject.series
            name = series.name or f"{series.project}/{series.model}/{series.endpoint}"
            found += [((day - T).days, name.rstrip("/")) for day in one.reportable]
        return sorted(found)


CHURN, V2, RANK = ("shop", "churn", "v1"), ("shop", "churn", "v2"), ("shop", "rank", "predict")
NEW = ("shop", "ltv", "predict")


def noisy(level: float, seed: int = 1, share: float = 0.1):
    rng = random.Random(seed)
    return lambda _: level * rng.lognormvariate(0, share)


def weekly(level: float):
    return lambda n: level * (0.4 if (T + timedelta(days=n)).weekday() > 4 else 1)


def test_ordinary_spend_is_not_reported():
    assert World(CHURN, RANK, ()).add(NEW, weekly(500)).reported() == []


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("successor", [V2, ("shop", "churn_v2", "v1"), ("store", "churn", "v1")])
def test_a_successor_that_takes_over_by_day_is_not_reported(share, successor):
    world = World(RANK, ()).add(CHURN, weekly(300), last=-1).add(successor, weekly(300), 1)
    world.add(CHURN, 300 * (1 - share), 0, 0).add(successor, 300 * share, 0, 0)
    assert world.reported() == []


def test_versions_that_live_four_days_are_not_reported():
    world = World(RANK, ()).add(CHURN, 300, last=-13)
    for n in range(-12, AFTER, 4):
        world.add(("shop", "churn", f"{n}"), 300, n, n + 3)
    assert world.reported() == []


@pytest.mark.parametrize("days", [3, 9, 20])
@pytest.mark.parametrize("rest", [0, 0.01, 15])
def test_a_canary_that_takes_over_is_not_reported(days, rest):
    world = World(RANK, ()).add(CHURN, 300, last=-days - 1).add(CHURN, 300 - rest, -days, -1)
    assert world.add(V2, rest, -days, -1).add(V2, 300, 0).reported() == []


def test_a_version_that_is_rolled_back_is_not_reported():
    world = World(RANK, ()).add(CHURN, 300, last=-21).add(CHURN, 15, -20, -1).add(CHURN, 300, 0)
    assert world.add(V2, 285, -20, -1).reported() == []


@pytest.mark.parametrize("other", [0, 50])
def test_tags_that_come_into_use_are_not_reported(other):
    world = World(()).add(RANK, other).add((), 300, last=-1)
    assert world.add(RANK, 300, 0).reported() == []


def test_tags_that_get_lost_are_not_reported():
    assert World(()).add(CHURN, 300, last=-1).add(RANK, 180).add((), 300, 0).reported() == []


def test_a_project_and_a_service_that_are_renamed_are_not_reported():
    world = World(()).add(CHURN, 300, last=-1).add(RANK, 200, last=-1)
    world.add(("store", "churn", "v1"), 300, 0).add(("store", "rank", "predict"), 200, 0)
    assert world.reported() == []
    renamed = World(()).add(CHURN, 300, last=-1, service="Old").add(CHURN, 300, 0, service="New")
    assert renamed.reported() == []


@pytest.mark.parametrize(
    "around",
    [
        lambda world, seed: [
            world.add(("shop", f"m{n}", "predict"), noisy(100, seed * 50 + n)) for n in range(40)
        ],
        lambda world, seed: world.add((), noisy(5000, seed)),
        lambda world, seed: world.add(
            (), lambda n: 1000 * (random.Random(seed + n).random() < 0.6)
        ),
        lambda world, _: world.add((), -5000, 0, 0),
    ],
    ids=["a large project", "much without tags", "a job without tags", "a refund without tags"],
)
@pytest.mark.parametrize("seed", range(5))
def test_new_spend_is_reported_whatever_is_around_it(around, seed):
    world = World(RANK, ()).add(NEW, 900, 0)
    around(world, seed)
    assert (0, "shop/ltv/predict") in world.reported()
    assert not [name for day, name in world.reported() if day > 0 and name == "shop/ltv/predict"]


def test_what_happens_elsewhere_at_the_same_time_is_reported():
    rollout = World(RANK, ()).add(CHURN, 300, last=-1).add(V2, 300, 0)
    assert rollout.add(("bank", "new", "predict"), 300, 0).reported() == [(0, "bank/new/predict")]
    deletion = World(RANK, ()).add(CHURN, 300, last=-1)
    assert deletion.add(("bank", "old", "p"), 100).add(
        ("bank", "old", "p"), 300, 0, 0
    ).reported() == [(0, "bank/old/p")]
    later = World(RANK, ()).add(CHURN, 300, last=-8).add(V2, 300, -7)
    assert later.add(NEW, 290, 0).reported() == [(0, "shop/ltv/predict")]


@pytest.mark.parametrize("day", [0, 1, 2])
@pytest.mark.parametrize("scale", [1, 3])
def test_what_ends_hides_no_spike_of_another_size(day, scale):
    retired = World(CHURN, ()).add(("shop", "old", "predict"), 100 * scale, last=-1)
    assert retired.add(CHURN, 600, day, day).reported() == [(day, "shop/churn/v1")]
    untagged = World(CHURN, RANK).add((), 1000 * scale, last=-1).add((), 700 * scale, 0)
    assert untagged.add(CHURN, 120, day, day).reported() == [(day, "shop/churn/v1")]
    elsewhere = World(CHURN, ()).add(("bank", "old", "predict"), 300, last=-1)
    assert elsewhere.add(("new", "x", "predict"), 330, day).reported() == [(day, "new/x/predict")]


def test_a_spike_beside_a_rollout_is_reported_alone():
    world = World(CHURN, RANK, ()).add(("shop", "rec", "1"), 300, last=-1)
    world.add(("shop", "rec", "2"), 300, 0).add(CHURN, 350, 0, 0)
    assert world.reported() == [(0, "shop/churn/v1")]


def test_spend_that_moves_to_another_service_is_not_reported():
    world = World(()).add(RANK, 300, service="Amazon Bedrock")
    world.add(CHURN, 300, last=-1).add(CHURN, 300, 0, service="Amazon Bedrock")
    assert world.reported() == []
    world.add(CHURN, 600, 5, 5, service="Amazon Bedrock")
    assert world.reported() == [(5, "shop/churn/v1")]


@pytest.mark.parametrize("silence_days", [2, 5, 10])
def test_a_rollout_is_not_reported_once_the_old_version_is_forgotten(silence_days):
    world = World(RANK, ()).add(CHURN, 300, last=-1).add(V2, 300, 0)
    assert world.reported(silence_days=silence_days) == []


def test_a_successor_that_costs_more_is_reported_for_what_both_are_part_of():
    world = World(RANK).add((), 5000).add(CHURN, 300, last=-1).add(V2, 590, 0)
    assert world.reported() == [(n, "shop/churn") for n in range(3)]


@pytest.mark.parametrize("day", [2, 4, 6])
def test_spend_that_has_begun_and_runs_away_is_reported(day):
    rollout = World(RANK, ()).add(CHURN, 300, last=-1).add(V2, 300, 0)
    assert rollout.add(V2, 1000, day, day).reported() == [(day, "shop/churn")]
    new = World(RANK, CHURN, ()).add(NEW, 300, 0)
    assert new.add(NEW, 900, day, day).reported() == [(0, "shop/ltv/predict"), (day, "shop")]
    new.add(NEW, 2000, day, day)
    assert new.reported() == [(0, "shop/ltv/predict"), (day, "shop/ltv/predict")]


@pytest.mark.parametrize("begins", [-BEFORE, 0, -5])
def test_an_owner_s_spike_hides_no_service_that_it_is_too_large_for(begins):
    world = World(RANK, CHURN, ()).add(("big", "m", "e"), 5000).add(NEW, 900, begins)
    for n in range(6):
        owner = ("team", f"m{n}", "predict")
        world.add(owner, 200).add(owner, 30, service="Amazon S3")
        world.add(owner, 70, 0, 0, service="Amazon S3")
    world.add(("big", "m", "e"), 4000, 0, 0)
    reported = world.reported()
    assert (0, "Amazon S3") in reported
    assert (0, "big/m/e") in reported


def test_the_rest_that_carries_no_tag_is_not_reported_on_later_weekends():
    world = World().add((), 400).add((), weekly(1000), last=-1).add(CHURN, weekly(1000), 0)
    assert world.reported() == []
