"""A stand-in for AWS Cost Explorer, with the two operations that the exporter uses each day."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from mlguard_demo.spend import Charge, Spend

_TAGS = ("mlguard:project", "mlguard:model", "mlguard:endpoint")
_USAGE = "Usage"
_USAGE_ONLY = {"Dimensions": {"Key": "RECORD_TYPE", "Values": [_USAGE]}}
_CONTENT_TYPE = "application/x-amz-json-1.1"


def cost_explorer(spend: Spend) -> web.Application:
    """Return the application that answers requests of boto3 from `spend`."""

    async def answer(request: web.Request) -> web.Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            body = json.loads(await request.read())
            found = answer_operation(operation, body, spend, datetime.now(UTC).date())
        except (KeyError, TypeError, ValueError) as error:
            refusal = {"__type": "ValidationException", "Message": repr(error)}
            return web.json_response(refusal, status=400, content_type=_CONTENT_TYPE)
        return web.json_response(found, content_type=_CONTENT_TYPE)

    app = web.Application()
    app.router.add_post("/", answer)
    return app


def aws_environment(url: str) -> dict[str, str]:
    """Return the variables with which boto3 asks the stand-in at `url`, and nothing else."""
    return {
        "AWS_ENDPOINT_URL_COST_EXPLORER": url,
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def answer_operation(
    operation: str, body: dict[str, Any], spend: Spend, today: date
) -> dict[str, Any]:
    """Return what Cost Explorer answers to an operation with this body.

    Raises:
        ValueError: the stand-in does not know this operation, filter or granularity.
        KeyError: a key is missing from the body, or it groups by something unknown.
    """
    if operation == "ListCostAllocationTags":
        tags = [
            {"TagKey": key, "Type": "UserDefined", "Status": "Active"}
            for key in sorted(_TAGS)
            if key in body["TagKeys"]
        ]
        return {"CostAllocationTags": tags}
    if operation != "GetCostAndUsage":
        raise ValueError(f"unknown operation {operation}")
    if body["Granularity"] != "DAILY" or body.get("Filter", _USAGE_ONLY) != _USAGE_ONLY:
        raise ValueError("only all usage of single days is known")
    first, end = (date.fromisoformat(body["TimePeriod"][name]) for name in ("Start", "End"))
    by_day: defaultdict[date, list[Charge]] = defaultdict(list)
    for charge in spend.charges(first, end, today):
        by_day[charge.day].append(charge)
    days = (first + timedelta(days=n) for n in range((end - first).days))
    return {
        "GroupDefinitions": body["GroupBy"],
        "ResultsByTime": [
            {
                "TimePeriod": {"Start": str(day), "End": str(day + timedelta(days=1))},
                "Total": {},
                "Groups": _totals(by_day[day], body["GroupBy"], body["Metrics"]),
                "Estimated": day >= today.replace(day=1),
            }
            for day in days
        ],
        "DimensionValueAttributes": [],
    }


def _key_of(charge: Charge, group: dict[str, str]) -> str:
    key = group["Key"]
    if group["Type"] == "TAG":
        return f"{key}${charge.owner[_TAGS.index(key)]}"
    return {"SERVICE": charge.service, "RECORD_TYPE": _USAGE}[key]


def _totals(
    charges: Iterable[Charge], groups: Sequence[dict[str, str]], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    sums: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for charge in charges:
        sums[tuple(_key_of(charge, group) for group in groups)] += charge.amount
    return [
        {
            "Keys": list(keys),
            "Metrics": {name: {"Amount": f"{amount:f}", "Unit": "USD"} for name in metrics},
        }
        for keys, amount in sorted(sums.items())
    ]
