"""What reading AWS spend costs, by the number of projects; `--picture FILE` draws a quarter of it.

A month is simulated day by day, against an AWS on loopback that counts its requests.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spend_picture import Day, Model, draw
from support.aws import Bill, FakeAws
from support.spending import Spending

from mlguard_exporter.exposition.collector import build_figures, detect_all, load_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
MONTH, DAYS = date(2027, 7, 1), 31
BEFORE, WINDOW = 120, 70
USD = Decimal("0.01")
KNOWN_SOON = Decimal("0.8")
"""The share of a day that AWS knows when the day has ended."""
RUNS = (
    (1, None, False),
    (10, None, False),
    (10, None, True),
    (100, None, False),
    (100, 5000, False),
)
"""Projects, groups on a page, and whether one model's tags leave a choice."""


def bill(day: date, amount: float, *owner: str, kind: str = "Usage", service="Amazon SageMaker"):
    cost = Decimal(f"{amount:.10f}")
    tags = {name: value for name, value in zip(NAMES, owner, strict=False) if value}
    return Bill(day, tags, service, kind, cost, cost, cost)


def ordinary(rng: random.Random, level: float, day: date) -> float:
    """An amount with a week's season and noise."""
    return level * (0.45 if day.weekday() > 4 else 1) * rng.gauss(1, 0.08)


def part_of(whole: Bill) -> Bill:
    costs = (whole.unblended, whole.amortized, whole.net_unblended)
    return Bill(
        whole.day, whole.tags, whole.service, whole.record_type, *(KNOWN_SOON * c for c in costs)
    )


@contextmanager
def reading(**cost: object) -> Iterator[tuple[FakeAws, Spending]]:
    """An exporter at an AWS of its own; its time is to be set."""
    with FakeAws() as fake, tempfile.TemporaryDirectory() as folder:
        os.environ.update(fake.env())
        with Spending(Path(folder), datetime(2027, 7, 1, tzinfo=UTC), **cost) as spending:
            fake.clock = lambda: spending.now
            yield fake, spending


def read_day(fake: FakeAws, spending: Spending, bills: dict[date, list[Bill]], today: date) -> None:
    """Read what AWS knows just after midnight: nothing of today, and a part of yesterday."""
    back = WINDOW if fake.requests else BEFORE
    days = (today - timedelta(days=n) for n in range(back, 1, -1))
    fake.bills = [each for day in days for each in bills.get(day, ())]
    fake.bills += [part_of(each) for each in bills.get(today - timedelta(days=1), ())]
    spending.at(datetime(today.year, today.month, today.day, 0, 16, tzinfo=UTC)).tick()


def month_of(projects: int, page_size: int | None, crossed: bool) -> None:
    """Simulate a month, and print what it took."""
    rng = random.Random(20270701)
    models = [(f"project-{p}", f"model-{p}-{m}", "predict") for p in range(projects) for m in "ab"]
    if crossed:  # one model of two projects with two endpoints each
        models += [(p, "shared", e) for p in ("project-0", "other") for e in ("blue", "green")]
    levels = {model: rng.lognormvariate(3, 1) for model in models}
    days = [MONTH + timedelta(days=n) for n in range(-BEFORE, DAYS)]
    bills = {
        day: [
            *(bill(day, ordinary(rng, level, day), *model) for model, level in levels.items()),
            bill(day, ordinary(rng, 20, day), service="Amazon S3"),
        ]
        for day in days
    }
    with reading(max_requests_per_month=100_000) as (fake, spending):
        read_day(fake, spending, bills, MONTH - timedelta(days=1))
        fake.page_size = page_size
        first = len(fake.requests)
        for day in days[BEFORE:]:
            read_day(fake, spending, bills, day)
        requests = len(fake.requests) - first
        begin = time.thread_time()
        cost, now = spending.cost, spending.now.timestamp()
        known = load_accounts(spending.db, cost, now)
        figures = build_figures(spending.db, cost, known, detect_all(known, cost), now)
        seconds = time.thread_time() - begin
        series = sum(
            len(family.samples)
            for part in (figures.lasting, figures.of_the_month, figures.of_the_day)
            for family in part
        )
        (pages,) = spending.db.execute("PRAGMA page_count").fetchone()
    print(
        f"{projects:8} {len(models):7} {'yes' if crossed else 'no':>8}"
        f" {page_size or 'all':>7} {requests:9} {requests * USD:9.2f}"
        f" {series:7} {seconds:10.2f} {pages * 4 / 1024:9.1f}",
        flush=True,
    )


def quarter() -> list[Day]:
    """A quarter of three models, as it was published day by day."""
    rng = random.Random(11)
    first, days = date(2027, 4, 1), 91
    levels = {("shop", "churn", "predict"): 120.0, ("shop", "rank", "predict"): 60.0,
              ("bank", "fraud", "predict"): 30.0}  # fmt: skip
    bills: dict[date, list[Bill]] = {}
    for n in range(-BEFORE, days + 3):
        day = first + timedelta(days=n)
        found = []
        for model, level in levels.items():
            amount = ordinary(rng, level, day)
            if model[1] == "churn" and day == date(2027, 4, 22):
                amount *= 2.4  # a forgotten instance
            if model[1] == "rank" and day >= date(2027, 5, 18):
                amount *= 1.7  # more replicas, for good
            found.append(bill(day, amount, *model))
        if day.day == 1:
            found.append(bill(day, 150, service="AWS Support", kind="Recurring reservation fee"))
        if day == date(2027, 6, 9):
            found.append(bill(day, -250, kind="Refund"))
        bills[day] = found
    published = []
    with reading(budgets=[{"project": "shop", "amount": 5200}]) as (fake, spending):
        for n in range(days + 2):
            today = first + timedelta(days=n)
            read_day(fake, spending, bills, today)
            published.append(published_on(spending, today, list(levels)))
    return published


def published_on(spending: Spending, today: date, owners: list[tuple[str, str, str]]) -> Day:
    models = []
    for project, model, _ in owners:
        own = {"project": project, "model": model}
        models.append(
            Model(
                model,
                spending.value("mlguard_cost_settled_day_usd", **own),
                spending.value("mlguard_cost_expected_usd", scope="endpoint", **own),
                spending.value("mlguard_cost_spike", scope="endpoint", **own) == 1,
            )
        )

    def of_shop(name: str) -> float | None:
        samples = spending.samples(f"mlguard_cost_{name}")
        found = [value for labels, value in samples if labels.get("project") == "shop"]
        return sum(found) if found else None

    return Day(
        today,
        today - timedelta(days=2),
        models,
        of_shop("month_to_date_usd"),
        of_shop("month_forecast_usd"),
        of_shop("budget_usd"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path, metavar="FILE", help="an SVG, instead of a table")
    flags = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    if flags.picture:
        flags.picture.write_text(draw(quarter()))
        return
    print(f"{MONTH:%B}, a read a day. crossed: one model more, of two projects with two endpoints;")
    print("a page: groups that AWS puts on one; figures: seconds to make all series once")
    print("projects  models  crossed  a page  requests         $  series    figures    db MiB")
    for projects, page_size, crossed in RUNS:
        month_of(projects, page_size, crossed)


if __name__ == "__main__":
    main()
