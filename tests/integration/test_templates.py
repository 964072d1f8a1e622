"""Templates expand to what Prometheus makes of them: promtool is asked about each."""

from __future__ import annotations

import json
import math
import random
import subprocess

import pytest
import yaml

from mlguard_rules.templates import QuerySample, TemplateContext, parse

LABELS = {"model": "churn v1", "feature": 'odd "name"\\', "n": "42", "empty_one": ""}
THRESHOLD = 0.2
PIPELINES = [
    "{{ $value }}",
    "{{ .Value }}",
    "{{ $labels.model }} {{ $labels.nothing }}.",
    "{{ .Labels.feature }}",
    "{{ $value | humanize }}",
    "{{ humanize $value }}",
    "{{ $value | humanize1024 }}",
    "{{ $value | humanizePercentage }}",
    "{{ $value | humanizeDuration }}",
    "{{ $labels.n | humanizeDuration }} {{ humanize $labels.n }}",
    '{{ printf "%.2f and %5.1f and %g and %v" $value $value $value $value }}',
    '{{ $value | printf "%+.3e" }} {{ $value | printf "%-9.1f|" }}{{ $value | printf "%08.2f" }}',
    '{{ printf "%q %s %d%%" $labels.feature $labels.model 7 }}',
    '{{ printf "%d %s" $value $value }}',
    '{{ printf "%t" $value }}',
    "{{ $labels.model | toUpper }} {{ toLower `ABC` }} {{ title $labels.model }}",
    "a {{- $value -}} b {{/* nothing */}}c {{- /* trimmed */ -}} d",
    '{{ printf "limit{model=%q}" $labels.model | query | first | value | humanize }}',
    '{{ query "limit" | first | label "model" }}',
    '{{ (printf "limit{model=%q}" $labels.model) | query | first | value }}',
    '{{ or $labels.nothing $labels.model "x" }} {{ or $labels.empty_one "" }}. {{ or $labels.n }}',
    "{{ or $value `zero` }} {{ or 0 0.0 `` $labels.n }}",
    "{{ $labels.empty_one | or `` 0 | printf `%q` }}",
    "{{ 1.50 }} {{ 1000000.0 }} {{ 12 }} {{ `raw` }}",
    "{{ if gt $value 0.0 }}above{{ else if eq $value 0.0 }}zero{{ else }}below or NaN{{ end }}",
    "{{ if $labels.nothing }}a{{ end }}{{ if not $labels.nothing }}b{{ end }}",
    "{{ if $value }}c{{ end }}",
    "{{ if and $labels.model (ne $labels.n `43`) }}both{{ end }}{{ and 0 `x` }}{{ and 1 `x` }}",
    "{{ with query `limit` }}{{ . | first | value | humanize }}{{ else }}none{{ end }}.",
    "{{ with query `nothing` }}{{ . | first | value }}{{ else }}none{{ end }}.",
    "{{ with $x := printf `limit{model='%s'}` .Labels.model | query }}{{ len $x }}{{ end }}",
    "{{ range query `limit` }}{{ .Labels.model }}={{ .Value }} {{ $value }}{{ $.Value }};{{ end }}",
    "{{ range $i, $s := query `limit` }}{{ $i }}:{{ $s.Labels.model }}{{ end }}",
    "{{ range $name, $text := $labels }}{{ $name }}={{ $text }},{{ end }}",
    "{{ range query `nothing` }}x{{ else }}no results{{ end }}",
    "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}",
    "{{ $q := query `limit` }}{{ if $q }}{{ ($q | first).Value }}{{ end }}",
    "{{- range $i, $e := query `limit` -}}\n  {{ $i }} {{- end -}}\n",
    "{{ with $labels }}{{ .model }}{{ index . `n` }}{{ end }} {{ len $labels.model }}",
    "{{ eq $labels.n `1` `42` }} {{ lt $labels.n `5` }} {{ le 1 2 }} {{ ge 1.5 2.5 }} {{ true }}",
    "{{ if match `^c.*v1$` $labels.model }}match{{ end }}",
    "{{ reReplaceAll `(.)(.)` `$2${1}x` $labels.model }}",
    "{{ print 1 2 `a` `b` 3 }} {{ print }}{{ parseDuration `1h30m` }} {{ stripPort `h:80` }}",
    "{{ stripDomain `a.b.c:80` }} {{ stripDomain `10.0.0.1:80` }} {{ stripPort `[::1]:80` }}",
    '{{ graphLink `a > 1` }} {{ tableLink `a{b="c"}` }} {{ safeHtml `<b>` }}',
    '{{ "a\\tb\\x41\\u00e9\\101\\"" }} {{ `}}` }} {{ "}}" }}',
    "{{ range sortByLabel `model` (query `limit`) }}{{ strvalue . }}{{ .Value }}{{ end }}",
    "{{ $externalLabels.cluster }}{{ printf `%d` 1 2 }} {{ printf `%x` 255 }} {{ 0x10 }}",
    "{{ if or $labels.nothing (gt (len $labels.model) 3) }}long{{ end }} {{ not 1 }} {{ not `` }}",
]
VALUES = [0, 1, -1, 0.5, 1e6, 123456.789, 1e-7, 1e18, 59.9, 3601, 90061, -75, 999.95,
          0.00099999, 1023.9, 1024.1, math.nan, math.inf, -math.inf, 1 / 3, 2.5e-310]  # fmt: skip


def expansions(value: float) -> list[str]:
    labels = {"__name__": "x"} | {name: text for name, text in LABELS.items() if text}
    sample = QuerySample({"__name__": "limit", "model": LABELS["model"]}, THRESHOLD)
    context = TemplateContext(
        labels, value, query=lambda text: [sample] if text.startswith("limit") else []
    )
    return [parse(text).expand(context) for text in PIPELINES]


def number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return repr(value).replace("inf", "Inf")


@pytest.mark.needs("promtool")
def test_templates_expand_as_in_prometheus(tmp_path):
    rng = random.Random(7)
    values = VALUES + [rng.uniform(-1, 1) * 10 ** rng.randint(-12, 18) for _ in range(60)]
    selector = ", ".join(f"{k}={json.dumps(v)}" for k, v in LABELS.items())
    rule = {
        "alert": "T",
        "expr": "x == x or x != x",
        "annotations": {f"a{i}": text for i, text in enumerate(PIPELINES)},
    }
    (tmp_path / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}, width=10_000)
    )
    tests = []
    for value in values:
        annotations = {f"a{i}": text for i, text in enumerate(expansions(value))}
        tests.append(
            {
                "interval": "1m",
                "input_series": [
                    {"series": f"x{{{selector}}}", "values": number(value)},
                    {"series": f'limit{{model="{LABELS["model"]}"}}', "values": str(THRESHOLD)},
                ],
                "alert_rule_test": [
                    {
                        "eval_time": "0m",
                        "alertname": "T",
                        "exp_alerts": [
                            {
                                "exp_labels": {k: v for k, v in LABELS.items() if v},
                                "exp_annotations": annotations,
                            }
                        ],
                    }
                ],
            }
        )
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "tests": tests}, width=10_000)
    )
    done = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "test.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-60000:] + done.stderr[-2000:]
