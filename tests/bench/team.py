"""How often a team gets false reports of spikes, and misses one, simulated.

Run: `.venv/bin/python tests/bench/team.py`. `spikes.py` measures single series; here spikes are
attributed to the scope they come from, while versions, tags and endpoints come and go.
"""

from __future__ import annotations

import random
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.account_costs import Owner, account_costs_of

from mlguard_exporter.analysis.anomalies import detect_anomalies
from mlguard_exporter.spend import CostSeries, Kind
from mlguard_exporter.spikes import SpikeConfig

SEED, TRIALS, DAYS, T = 20271001, 60, 112, 100
FIRST = date(2027, 1, 4)
PROJECTS, ENDPOINTS = 5, 6
SERVICES = ("Amazon SageMaker", "Amazon Bedrock", "Amazon EC2")
NOISE, WEEKEND = 0.1, 0.45
UNTAGGED = ("", "", "")

TERMS = f"""\
{TRIALS} teams: {PROJECTS} projects of {ENDPOINTS} endpoints of 30 to 500 USD a day, three services,
noise of {NOISE:.0%}, weekends x {WEEKEND}, 100 USD a day without tags. On one day, at any hour,
something happens.
reported: a spike of twice the amount on that day, of its endpoint, its model or its project.
others: what else is reported for owners in the two weeks around it, by team."""


class Team:
    """What a team's endpoints cost, day by day."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.amounts: dict[Owner, list[float]] = {}
        self.service: dict[Owner, str] = {}
        for n in range(PROJECTS * ENDPOINTS):
            owner = (f"project{n // ENDPOINTS}", f"model{n % 3}", f"endpoint{n}")
            self.add(owner, 30 * (500 / 30) ** rng.random(), SERVICES[n % 3])
        self.add(UNTAGGED, 100, "Amazon S3")
        self.chosen = rng.choice(list(self.amounts)[:-1])
        same = [o for o in self.amounts if o[0] == self.chosen[0] and o != self.chosen]
        self.same = rng.choice(same)
        self.other = rng.choice([o for o in self.amounts if o[0] not in ("", self.chosen[0])])

    def add(self, owner: Owner, level: float, service: str) -> None:
        self.service[owner] = service
        self.amounts[owner] = [
            level
            * self.rng.lognormvariate(0, NOISE)
            * (WEEKEND if (FIRST + timedelta(days=n)).weekday() > 4 else 1)
            for n in range(DAYS)
        ]

    def spike(self, times: float = 2) -> None:
        self.amounts[self.chosen][T] *= times

    def retire(self, owner: Owner) -> None:
        days, share = self.amounts[owner], self.rng.random()
        self.amounts[owner] = [*days[:T], days[T] * share, *[0.0] * (DAYS - T - 1)]

    def move(self, owner: Owner, new: Owner, canary_days: int = 0) -> None:
        """Let another take over, perhaps after days with a twentieth of it."""
        days, share = self.amounts[owner], self.rng.random()
        shares = [0.0] * DAYS
        for n in range(T - canary_days, DAYS):
            shares[n] = 0.05 if n < T else share if n == T else 1.0
        self.amounts[owner] = [a * (1 - s) for a, s in zip(days, shares, strict=True)]
        old = self.amounts.get(new, [0.0] * DAYS)
        self.amounts[new] = [b + a * s for b, a, s in zip(old, days, shares, strict=True)]
        self.service[new] = self.service[owner]

    def reported(self) -> list[tuple[int, CostSeries]]:
        """Days, and what is reported for them, but for services."""
        days = [FIRST + timedelta(days=n) for n in range(DAYS)]
        costs = {
            (owner, self.service[owner], day): Decimal(f"{amount:.4f}")
            for owner, amounts in self.amounts.items()
            for day, amount in zip(days, amounts, strict=True)
            if amount
        }
        judged = detect_anomalies(account_costs_of(costs, days), SpikeConfig())
        return [
            ((day - FIRST).days, one.subject.series)
            for one in judged
            for day in one.reportable
            if one.subject.series.kind is Kind.OWNER
        ]

    def of_the_chosen(self, reported: list[tuple[int, CostSeries]]) -> list[tuple[int, CostSeries]]:
        """Return the reports of the chosen endpoint's spike."""
        project, model, endpoint = self.chosen
        return [
            (day, s)
            for day, s in reported
            if day == T and s.project == project and s.model in ("", model)
            if s.endpoint in ("", endpoint)
        ]


def version(owner: Owner) -> Owner:
    return (*owner[:2], f"{owner[2]}-v2")


HAPPENINGS = {
    "nothing": lambda _: None,
    "an endpoint of the project is retired": lambda team: team.retire(team.same),
    "an endpoint of the project has a successor": lambda team: team.move(
        team.same, version(team.same)
    ),
    "another project's endpoint is retired": lambda team: team.retire(team.other),
    "another project's endpoint has a successor": lambda team: team.move(
        team.other, version(team.other)
    ),
    "a canary of nine days takes over": lambda team: team.move(team.same, version(team.same), 9),
    "a project's endpoint changes its project": lambda team: team.move(
        team.other, ("renamed", *team.other[1:])
    ),
    "what had no tag has one": lambda team: team.move(UNTAGGED, ("new", "model", "endpoint")),
    "an endpoint loses its tags": lambda team: team.move(team.other, UNTAGGED),
}


def main() -> None:
    print(TERMS)
    print(
        f"\n{'beside a spike of 2 times':<46}{'reported':>7}{'others':>9}{'others, no spike':>19}"
    )
    for name, happen in HAPPENINGS.items():
        reported = others = alone = 0
        for trial in range(TRIALS):
            team = Team(random.Random(f"{SEED} {trial}"))
            happen(team)
            alone += len(team.reported())
            team.spike()
            found = team.reported()
            mine = team.of_the_chosen(found)
            reported += bool(mine)
            others += len(found) - len(mine)
        print(f"{name:<46}{reported / TRIALS:>7.1%}{others / TRIALS:>9.3f}{alone / TRIALS:>19.3f}")


if __name__ == "__main__":
    main()
