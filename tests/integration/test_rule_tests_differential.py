"""Expressions over series with gaps and ends have the results that promtool's tests expect."""

from __future__ import annotations

import math
import random
import subprocess

import pytest
import yaml

from mlguard_rules.promql import EvaluationError, compile_expression
from mlguard_rules.ruletest.storage import Storage

EXPRESSIONS = [
    "x",
    *(f"x offset {offset}" for offset in ("1m", "90s", "3m", "7m")),
    *(f"sum by (b) (x offset {offset}) or x" for offset in ("1m", "6m")),
    "x - x offset 1m",
    "timestamp(x)",
    "timestamp(x offset 2m)",
    "timestamp(x > 2)",
    *(
        f"{function}(x[{length}] offset 1m)"
        for function in ("rate", "changes", "resets", "deriv", "irate", "last_over_time")
        for length in ("2m", "5m")
    ),
    "predict_linear(x[5m], 120)",
    "sum_over_time((x offset 1m > 20)[6m:90s])",
    "rate(x[5m:1m] offset 2m)",
    "quantile_over_time(0.7, x[4m])",
    'absent_over_time(x{a="1"}[2m])',
    "topk(2, x)",
    "bottomk by (b) (1, x)",
    'count_values("value", x)',
    "quantile(0.3, x offset 1m)",
    'label_replace(x offset 1m, "c", "${2}-$1", "a", "(.)(.*)")',
]
SERIES = [(("a", a), ("b", b)) for a in ("1", "22", "333") for b in ("u", "v")]
STEPS, SECONDS = 40, 60


def values(rng: random.Random) -> list[float | str]:
    """Samples of one series, `_` for none and `stale` for its end.

    Hardly any are equal, and their sums are exact, so that no result depends on their order.
    """
    return [
        rng.choice([rng.randrange(1 << 20) / 64] * 6 + ["_", "_", "stale"]) for _ in range(STEPS)
    ]


def expected(found, expression: str) -> list[dict[str, object]]:
    elements = found.items() if isinstance(found, dict) else [((), found)]
    lists = []
    for labels, value in elements:
        pairs = dict(labels)
        name = pairs.pop("__name__", "")
        text = ", ".join(f'{key}="{label}"' for key, label in pairs.items())
        assert math.isfinite(value), expression
        lists.append({"labels": f"{name}{{{text}}}", "value": value})
    return lists


@pytest.mark.needs("promtool")
def test_expressions_have_the_results_of_promtool(tmp_path):
    rng = random.Random(3)
    world = {labels: values(rng) for labels in SERIES}
    compiled = [compile_expression(text) for text in EXPRESSIONS]
    storage = Storage(compiled)
    checks = []
    for step in range(STEPS):
        at, samples = step * SECONDS, []
        for labels, row in world.items():
            if row[step] == "stale":
                storage.end("x", labels, at * 1000)
            elif row[step] != "_":
                samples.append((labels, float(row[step])))
        storage.append(float(at), {"x": samples})
        for expression in compiled:
            try:
                found = expression.evaluate(float(at), storage)
            except EvaluationError:
                continue
            checks.append(
                {
                    "expr": expression.text,
                    "eval_time": f"{at}s",
                    "exp_samples": expected(found, expression.text),
                }
            )
    assert sum(len(check["exp_samples"]) > 0 for check in checks) > 0.8 * len(checks)
    series = [
        {
            "series": "x{" + ",".join(f'{k}="{v}"' for k, v in labels) + "}",
            "values": " ".join(map(str, row)),
        }
        for labels, row in world.items()
    ]
    test = {"interval": f"{SECONDS}s", "input_series": series, "promql_expr_test": checks}
    (tmp_path / "t.yml").write_text(yaml.safe_dump({"tests": [test]}, width=10_000))
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "t.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[:5000]
