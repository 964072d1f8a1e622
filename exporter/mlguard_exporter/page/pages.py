"""Handlers of the page, and of the same figures in JSON."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from mlguard_common.page import Chart, Page, Series, texts, time_chart
from mlguard_common.web import Operation
from mlguard_exporter.report import SpendReport, spend_report
from mlguard_exporter.spend.calendar import SETTLING_DAYS, start_of, utc_day

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from mlguard_exporter.exposition import SpendSnapshot
    from mlguard_exporter.report import InferenceSource
    from mlguard_rules.service import AlertAnswer, ReceiverState

TEMPLATES = Path(__file__).parent / "templates"
_DAY_SECONDS = 86_400
_REFRESH_SECONDS = 60


@dataclass(frozen=True)
class SpendPages:
    """The page of spend.

    Attributes:
        snapshot: returns the data of the last refresh; None before the first.
        inferences: reads how often models were used.
        alerts: returns the alerts that are pending or firing.
        receivers: returns how sending to each receiver goes.
        clock: epoch seconds.
    """

    snapshot: Callable[[], SpendSnapshot | None]
    inferences: InferenceSource
    alerts: Callable[[], Sequence[AlertAnswer]]
    receivers: Callable[[], Sequence[ReceiverState]]
    clock: Callable[[], float]

    def handlers(self) -> Mapping[str, Callable[[web.Request], Awaitable[Page]]]:
        """Return path -> handler."""
        return {"/": self._page}

    def operations(self) -> list[Operation]:
        """Return the operations of the API."""
        return [
            Operation(
                "GET",
                "/api/v1/spend",
                self._json,
                "Return spend by owner and service, its daily trend, and what was odd.",
                answer=SpendReport,
                query={"project": str},
                errors=(503,),
            )
        ]

    async def _report(self, request: web.Request) -> SpendReport | None:
        snapshot = self.snapshot()
        if snapshot is None:
            return None
        today = utc_day(self.clock())
        settled = utc_day(self.clock() - SETTLING_DAYS * _DAY_SECONDS)
        counted = await self.inferences.of_day(snapshot.cost.inferences_url, settled)
        project = request.query.get("project")
        # takes long with a thousand endpoints
        return await asyncio.to_thread(spend_report, snapshot, today, project, counted)

    async def _json(self, request: web.Request) -> web.Response:
        report = await self._report(request)
        if report is None:
            body = {"error": "spend is being read from the database; ask again in a moment"}
            return web.json_response(body, status=503)
        return web.Response(body=msgspec.json.encode(report), content_type="application/json")

    async def _page(self, request: web.Request) -> Page:
        report = await self._report(request)
        alerts = sorted(self.alerts(), key=lambda alert: (alert.state != "firing", alert.activeAt))
        project = request.query.get("project")
        twin = "/api/v1/spend" + ("" if project is None else f"?{urlencode({'project': project})}")
        return Page(
            "spend.html",
            "Spend",
            (twin, "/api/v1/alerts"),
            {
                "report": report,
                "summary": _summary(report, alerts),
                "totals": _totals(report),
                "trend": None if report is None else trend_chart(report),
                "projects": _projects(self.snapshot()),
                "alerts": alerts,
                "receivers": self.receivers(),
                "refresh_seconds": _REFRESH_SECONDS,
            },
        )


def trend_chart(report: SpendReport) -> Chart:
    """Return the chart of spend by day, with the range that is expected."""
    known = {start_of(day.day): day for day in report.days}
    times = _every_day(sorted(known))
    days = [known.get(when) for when in times]
    limits = [day.limit if day is not None and day.expected is not None else None for day in days]
    return time_chart(
        f"Spend by day, {report.currency}",
        times,
        _DAY_SECONDS,
        [
            Series("spent", [None if day is None else day.amount for day in days]),
            Series("expected, with its range", [day.expected if day else None for day in days],
                   limits),
        ],
        texts.dollars if report.currency == "USD" else texts.number,
        marked=frozenset(start_of(each.day) for each in report.anomalies),
    )  # fmt: skip


def _every_day(starts: Sequence[float]) -> list[float]:
    if not starts:
        return []
    count = round((starts[-1] - starts[0]) / _DAY_SECONDS) + 1
    return [starts[0] + i * _DAY_SECONDS for i in range(count)]


def _totals(report: SpendReport | None) -> dict[str, float | None]:
    """Return the sums over the owners in the currency of the report."""
    owners = [
        o for o in (report.owners if report else ()) if report and o.currency == report.currency
    ]
    days = [o.settled_day for o in owners if o.settled_day is not None]
    forecasts = [o.month_forecast for o in owners if o.month_forecast is not None]
    return {
        "settled_day": sum(days) if days else None,
        "month_to_date": sum(owner.month_to_date for owner in owners) if owners else None,
        "month_forecast": sum(forecasts) if forecasts else None,
    }


def _projects(snapshot: SpendSnapshot | None) -> list[str]:
    if snapshot is None:
        return []
    found = {series.project for each in snapshot.accounts for series in each.costs.amounts}
    return sorted(found - {""})


def _summary(report: SpendReport | None, alerts: Sequence[AlertAnswer]) -> tuple[str, str, str]:
    """Return level, headline and explanation of the state of spend."""
    firing = sum(alert.state == "firing" for alert in alerts)
    if firing:
        return "bad", f"{texts.counted(firing, 'alert')} firing", "what they say stands below"
    if report is None or not report.accounts:
        return "quiet", "No account is configured", "this exporter relays alerts"
    down = [account.account for account in report.accounts if account.up is False]
    if down:
        return "warn", "Spend cannot be read", f"the last read of {', '.join(down)} failed"
    if not report.days:
        return "quiet", "No spend yet", "it appears after the first read of Cost Explorer"
    over = [b for b in report.budgets if (b.month_forecast or b.month_to_date) > b.amount]
    if over:
        return "warn", "A budget will be exceeded", f"{len(over)} of {len(report.budgets)} budgets"
    text = "no alert is firing" + (", every budget holds" if report.budgets else "")
    return "good", "Spend is as expected", text
