"""What the subset refuses, and where PromQL is awkward; a real Prometheus is compared elsewhere."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_rules.promql import (
    EvaluationError,
    History,
    UnsupportedError,
    compile_expression,
)

NOW = 1_700_000_000.0


def labels(**pairs):
    return tuple(sorted(pairs.items()))


def named(metric, **pairs):
    return labels(__name__=metric, **pairs)


DATA = {
    "a": [(labels(x="1", y="1"), 1.0), (labels(x="1", y="2"), 2.0), (labels(x="2", y="1"), -0.5)],
    "b": [(labels(x="1"), 10.0), (labels(x="2"), 20.0)],
    "info": [(labels(x="1", team="red"), 1.0), (labels(x="2", team="blue"), 1.0)],
    "odd": [(labels(k="nan"), math.nan), (labels(k="inf"), math.inf), (labels(k="one"), 1.0)],
    "one": [((), 5.0)],
    "upper": [(labels(A="1", b="2"), 1.0)],
}


def evaluate(text, snapshot=DATA):
    expression = compile_expression(text)
    history = History([expression])
    history.append(NOW, snapshot)
    return expression.evaluate(NOW, history)


def over(text, values, *, every=15.0, at=None):
    """The value of an expression over the series `c`, whose last sample lies at NOW."""
    expression = compile_expression(text)
    history = History([expression])
    begin = NOW - every * (len(values) - 1)
    for i, value in enumerate(values):
        history.append(begin + i * every, {"c": [] if value is None else [((), value)]})
    return expression.evaluate(NOW if at is None else at, history)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a offset -5m", "a negative offset reads samples of the future"),
        ("rate(a[5m] offset 1w)", "offset 1w is longer than the 24h of samples that are kept"),
        ("a offset 86401s", "is longer than the 24h of samples that are kept"),
        ("a offset 5m + 5m", "a duration is not a number"),
        ("a @ 1", "the @ modifier is outside"),
        ("a[5m:1m]", "a subquery stands only inside a range function"),
        ("rate(a[24h:30s])", "a subquery of more than 1,500 steps"),
        ("max_over_time(rate(a[1h:1m])[1h:1m])", "a subquery of more than 1,500 steps"),
        ("rate(a[2d:1h])", "range 2d is longer than the 24h of samples that are kept"),
        ("rate(a[5m:1m] offset -1m)", "a negative offset reads samples of the future"),
        ("rate(a[5m:1m] @ 1)", "the @ modifier is outside"),
        ("rate(a[5m:60])", "a range needs a unit"),
        ("rate(a[300:1m])", "a range needs a unit"),
        ("a[5m]", "a range such as [5m] stands only inside"),
        ('"text"', "a string stands only where a function takes one"),
        ("rate(a[1w])", "range 1w is longer than the 24h of samples that are kept"),
        ("rate(a[86401s])", "longer than the 24h of samples"),
        ("acos(a)", "acos() is outside"),
        ('label_replace(a, "1x", "", "", "")', "'1x' cannot be the name of a label"),
        ('label_join(a, "x", "", "1y")', "'1y' cannot be the name of a label"),
        ('count_values("1x", a)', "'1x' cannot be the name of a label"),
        ('label_replace(a, "x", "$1", "y", "(")', "missing )"),
        ("a atan2 b", "atan2 is outside"),
        ('{__name__=~"a|b"}', "must name exactly one metric, by equality"),
        ('{x="1"}', "must name exactly one metric, by equality"),
        ('{__name__="a",__name__!="b"}', "must name exactly one metric, by equality"),
        ('{__name__="a",__name__="b"}', "must name exactly one metric, by equality"),
        ('a{x="1" or x="2"}', "or between matchers is not known"),
        ("a + fill(0) b", "fill modifiers are not known"),
        ("a > 5m", "a duration is not a number"),
        ("rate(a[300])", "a range needs a unit"),
        ('{"a"}', "quoted names are not known"),
        ('{"a", x="1"}', "quoted names are not known"),
        ('a{"x"="1"}', "quoted names are not known"),
        ('sum by ("a") (b)', "quoted names are not known"),
        ('a{x=~"a++"}', "regular expression 'a++' is wrong: bad repetition"),
        ("a +", "invalid promql query"),
        ("", "no expression found"),
        ("sum(a", "unclosed left parenthesis"),
        ("1 == 1", "must use BOOL"),
        ("rate(a)", "expected type matrix"),
        ("a and 1", "set operator"),
        ("nothing_like(a)", "unknown function"),
        ("+".join("a" * 300), "more than 200 operators"),
        ("(" * 5000 + "a" + ")" * 5000, "more than 200 operators"),
        ("-" * 50_000 + "a", "more than 200 operators"),
    ],
)
def test_refuses_what_it_cannot_do_alike(text, reason):
    with pytest.raises(UnsupportedError) as caught:
        compile_expression(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'a{x="it[5]s 5m, \\"quoted\\""}',
        'a{x="300d",y="-"}  # rate(a[5]) > 5m',
        "a{x=`raw`}",
        "rate(a[24h])",
        "rate((a[60m]))",
        "a offset 1h30m + b offset 24h",
        "max_over_time((a > 1)[24h:1m] offset 1h)",
        "rate(a[5m:])",
        'label_replace(a, "x", "", "", "")',
        'label_join(a, "x", "", "y")',
        r"a{x=~`\d\"'`}",
        '{__name__="a"}',
        'sum by (a1m) (metric_5m{l="5m"})',
        "0x1d + 1e3",
        "+".join("a" * 150),
        "SUM(a) BY (x) AND b",
    ],
)
def test_takes_what_only_looks_like_more(text):
    assert compile_expression(text).text == text


@pytest.mark.parametrize("text", ["abs(" * 198 + "one" + ")" * 198, "one" + " + one" * 199])
def test_the_deepest_expressions_are_refused_or_evaluated(text):
    assert refusal(evaluate, text) in ("", "too deeply nested")


def test_an_expression_tells_what_it_reads():
    expression = compile_expression('rate(a{x="1"}[5m]) / on(x) {__name__="b"} > scalar(one)')
    assert expression.metrics == {"a", "b", "one"}
    assert expression.type == "vector"
    assert expression.range_seconds == 300
    assert compile_expression("rate(a[5m] offset 1m)").range_seconds == 360
    assert compile_expression("a offset 1m").range_seconds == 60
    nested = compile_expression("max_over_time(rate(a[5m] offset 1m)[1h:1m] offset 2h)")
    assert nested.range_seconds == 3 * 3600 + 360
    assert compile_expression("a offset 1m").depends_on_time
    assert compile_expression("time() - 1").type == "scalar"
    assert compile_expression("time()").range_seconds == 0
    assert hash(expression) == hash(expression)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2^2", -4),
        ("2^3^2", 512),
        ("2^-1", 0.5),
        ("-1^0.5", -1),
        ("1 - 2 - 3", -4),
        ("2 * 3 % 4", 2),
        ("10 - 4 / 2", 8),
        ("--1", 1),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("7 % Inf", 7),
        ("7 % 0", math.nan),
        ("Inf % 2", math.nan),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("1 / -(0)", -math.inf),
        ("0 / 0", math.nan),
        ("0 ^ 0", 1),
        ("0 ^ -1", math.inf),
        ("(-(0)) ^ -1", -math.inf),
        ("(-8) ^ (1/3)", math.nan),
        ("(-10) ^ 401", -math.inf),
        ("10 ^ 400", math.inf),
        ("NaN ^ 0", 1),
        ("1 ^ NaN", 1),
        ("NaN == bool NaN", 0),
        ("NaN != bool NaN", 1),
        ("2 > bool 1", 1),
        ("08 + 017", 23),
        ("scalar(a)", math.nan),
        ("scalar(nothing)", math.nan),
        ("scalar(one)", 5),
        ("time()", NOW),
    ],
)
def test_scalars(text, value):
    assert evaluate(text) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("function", "value", "result"),
    [
        ("exp({})", 1000, math.inf),
        ("ln({})", -1, math.nan),
        ("ln({})", 0, -math.inf),
        ("sqrt({})", -1, math.nan),
        ("round({})", 2.5, 3),
        ("round({})", -2.5, -2),
        ("round({}, 0.5)", 1.25, 1.5),
        ("round({}, 0)", 3, math.nan),
        ("round({})", math.inf, math.inf),
        ("1 / ceil({})", -0.5, -math.inf),
        ("floor({})", -math.inf, -math.inf),
        ("clamp({}, 1, 2)", math.nan, math.nan),
        ("clamp_max({}, -Inf)", math.nan, -math.inf),
        ("clamp_min({}, Inf)", math.nan, math.inf),
        ("clamp_min({}, NaN)", 1, math.nan),
        ("1 / clamp_max({}, -(0))", 0.0, -math.inf),
        ("abs({})", -math.inf, math.inf),
    ],
)
def test_functions(function, value, result):
    found = evaluate(function.format("v"), {"v": [((), value)]})
    assert found == {(): pytest.approx(result, nan_ok=True)}


def test_clamp_between_bounds_that_are_swapped_is_empty():
    assert evaluate("clamp(a, 2, 1)") == {}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('a{x="1",y!="2"}', {named("a", x="1", y="1"): 1.0}),
        ('b{x=~"2|3"}', {named("b", x="2"): 20.0}),
        ('b{x=~"."}', {named("b", x="1"): 10.0, named("b", x="2"): 20.0}),
        ('b{x!~"1.*",nowhere=""}', {named("b", x="2"): 20.0}),
        ('one{x!="1"}', {named("one"): 5.0}),
        ('one{x=~".*"}', {named("one"): 5.0}),
        ('one{x=~".+"}', {}),
        ("upper", {labels(A="1", __name__="upper", b="2"): 1.0}),
        ("-upper", {labels(A="1", b="2"): -1.0}),
        ("b > 15", {named("b", x="2"): 20.0}),
        ("15 < b", {named("b", x="2"): 20.0}),
        ("b > bool 15", {labels(x="1"): 0.0, labels(x="2"): 1.0}),
        ("odd == odd", {named("odd", k="inf"): math.inf, named("odd", k="one"): 1.0}),
        ('max(odd{k!="inf"})', {(): 1.0}),
        ("min(odd)", {(): 1.0}),
        ("count(odd)", {(): 3.0}),
        ('avg(odd{k!="nan"})', {(): math.inf}),
        ("sum by (nowhere) (b)", {(): 30.0}),
        ("sum by (x, __name__) (b)", {named("b", x="1"): 10.0, named("b", x="2"): 20.0}),
        ("sum without (y) (a)", {labels(x="1"): 3.0, labels(x="2"): -0.5}),
        ("sum(nothing)", {}),
        ("vector(1) * vector(2)", {(): 2.0}),
        ("b * on(x) info", {labels(x="1"): 10.0, labels(x="2"): 20.0}),
        ("b >= on(x) info", {labels(x="1"): 10.0, labels(x="2"): 20.0}),
        (
            "b * on(x) group_left(team) info",
            {labels(x="1", team="red"): 10.0, labels(x="2", team="blue"): 20.0},
        ),
        (
            "b > on(x) group_right(nowhere) a",
            {
                named("a", x="1", y="1"): 10.0,
                named("a", x="1", y="2"): 10.0,
                named("a", x="2", y="1"): 20.0,
            },
        ),
        ("b > bool ignoring(y) sum without (y) (a)", {labels(x="1"): 1.0, labels(x="2"): 1.0}),
        ('b and on(x) a{y="2"}', {named("b", x="1"): 10.0}),
        ('b unless on(x) a{y="2"}', {named("b", x="2"): 20.0}),
        (
            'b{x="1"} or info',
            {named("b", x="1"): 10.0}
            | {named("info", **dict(pairs)): value for pairs, value in DATA["info"]},
        ),
        ("b or on() a", {named("b", x="1"): 10.0, named("b", x="2"): 20.0}),
        ('absent(nothing{p="1",q=~"2",r="3",r="4"})', {labels(p="1"): 1.0}),
        ('absent(((nothing{p="1"})))', {labels(p="1"): 1.0}),
        ('absent(sum(nothing{p="1"}))', {(): 1.0}),
        ("absent(a)", {}),
    ],
)
def test_vectors(text, result):
    assert evaluate(text) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("b * on(x) a", "duplicate series for the match group .* on the right hand-side"),
        ("a * on(x) group_right a", "duplicate series for the match group .* on the left hand"),
        ("a * on(x) b", "multiple matches for labels .* must be explicit"),
        ("a * on(x) group_left(y) info", "grouping labels must ensure unique matches"),
        ('-(b{x="1"} or on(__name__) twin)', "same labelset"),
        ('(b{x="1"} or on(__name__) twin) + 1', "same labelset"),
        ('abs(b{x="1"} or on(__name__) twin)', "same labelset"),
    ],
)
def test_ambiguity_is_an_error(text, message):
    snapshot = DATA | {"twin": [(labels(x="1"), 1.0)]}
    with pytest.raises(EvaluationError, match=message):
        evaluate(text, snapshot)


@given(
    st.lists(
        st.one_of(st.floats(allow_nan=False, width=32), st.sampled_from([math.nan, math.inf])),
        min_size=1,
        max_size=12,
    )
)
def test_extremes_and_means_of_ranges(values):
    numbers = [value for value in values if not math.isnan(value)]
    for function, oracle in (("min", min), ("max", max)):
        found = over(f"{function}_over_time(c[10m])", values)[()]
        assert found == oracle(numbers) if numbers else math.isnan(found)
    found = over("avg_over_time(c[10m])", values)[()]
    if len(numbers) < len(values) or {math.inf, -math.inf} <= set(values):
        assert math.isnan(found)
    else:
        mean = math.fsum(values) / len(values) if math.inf not in values else math.inf
        assert found == pytest.approx(mean, rel=1e-9, abs=1e-9 * max(map(abs, values)))


@given(st.lists(st.integers(0, 50), min_size=2, max_size=20))
def test_increase_counts_every_step_and_every_reset(values):
    every = [max(y - x, 0) if y >= x else y for x, y in itertools.pairwise(values)]
    seconds = 15 * (len(values) - 1)
    found = over(f"increase(c[{seconds}s])", values)[()]
    assert found == pytest.approx(sum(every))
    assert over(f"rate(c[{seconds}s])", values)[()] == pytest.approx(sum(every) / seconds)


@pytest.mark.parametrize(
    ("text", "values", "result"),
    [
        ("rate(c[5m])", [1], None),
        ("delta(c[30s])", [4, 2, 1], -3.0),
        # half a distance of samples on the left, nothing on the right
        ("increase(c[1m])", [100, 110, 120], 25.0),
        # up to where the counter was zero
        ("increase(c[1m])", [1, 11, 21], 21.0),
        ("last_over_time(c[15s])", [1, None], 1.0),
        ("last_over_time(c[14s])", [1, None], None),
        ("count(c)", [1, None], None),
        ("rate(c[1m])", [math.nan, 1, 2], math.nan),
    ],
)
def test_ranges(text, values, result):
    found = over(text, values)
    assert list(found.values()) == ([] if result is None else [pytest.approx(result, nan_ok=True)])


def test_last_over_time_alone_keeps_the_name():
    assert over("last_over_time(c[1m])", [1.0]) == {named("c"): 1.0}
    assert over("max_over_time(c[1m])", [1.0]) == {(): 1.0}


def test_samples_count_for_five_minutes_to_the_millisecond():
    assert over("c", [1.0], at=NOW + 300) == {named("c"): 1.0}
    assert over("c", [1.0], at=NOW + 300.001) == {}
    assert over("c", [1.0], at=NOW - 0.001) == {}


def test_history_is_bounded_by_the_longest_range():
    expressions = [compile_expression(text) for text in ("rate(c[1m])", "delta(c[2m])", "d")]
    history = History(expressions)
    assert history.latest_at is None
    for i in range(100):
        snapshot = {"c": [(labels(i=str(i // 10)), float(i))], "d": [((), 1.0)]}
        history.append(NOW + 15 * i, snapshot)
    (buffer,) = history._buffers.values()
    assert sum(len(series.times) for series in buffer.series.values()) == 9
    assert len(buffer.series) == 1
    assert history.latest_at == NOW + 15 * 99


def test_an_offset_sees_what_was_current_then():
    expression = compile_expression("c offset 1m")
    history = History([expression])
    for i in range(7):  # the series is gone from the third snapshot, and back in the fifth
        history.append(NOW + 15 * i, {"c": [] if i in (2, 3) else [((), float(i))]})
    times = (90, 104.999, 119.999, 120, 134.999, 135, 150, 450, 450.001)
    seen = [expression.evaluate(NOW + at, history).get(named("c")) for at in times]
    assert seen == [None, None, None, 4.0, 4.0, 5.0, 6.0, 6.0, None]
    assert expression.evaluate(NOW + 75, History([expression])) == {}


def test_an_offset_sees_what_a_rule_recorded():
    expression = compile_expression("r:sum offset 30s")
    history = History([expression])
    for i in range(5):
        history.append(NOW + 15 * i, {})
        if i == 1:  # a rule that fails leaves its last result, for five minutes
            continue
        history.record(NOW + 15 * i, "r:sum", {labels(x=str(min(i, 3))): float(i)})
    found = [expression.evaluate(NOW + 60 + at, history) for at in (-15.0, 0.0, 15.0)]
    assert found == [
        {named("r:sum", x="0"): 0.0},
        {named("r:sum", x="2"): 2.0},
        {named("r:sum", x="3"): 3.0},
    ]


def test_history_is_bounded_whatever_the_number_of_series():
    many, few = compile_expression("delta(c[2m])"), compile_expression("delta(d[2m])")
    history = History([many, few], max_samples=100)
    for i in range(20):
        snapshot = {"c": [(labels(i=str(n)), 1.0) for n in range(30)], "d": [((), float(i))]}
        history.append(NOW + 15 * i, snapshot)
        kept = sum(len(s.times) for b in history._buffers.values() for s in b.series.values())
        assert kept <= 100
    assert few.evaluate(NOW + 15 * 19, history) == {(): pytest.approx(8.0)}
    with pytest.raises(EvaluationError, match="c has too many samples for this range"):
        many.evaluate(NOW + 15 * 19, history)
    with pytest.raises(EvaluationError, match="c has too many samples for this range"):
        many.evaluate(NOW + 15 * 19, history.with_expressions([many]))


def burst(history, snapshots, at_burst, size=450):
    """Append snapshots of a steady metric and of one that bursts; return the last one's time."""
    for i in range(snapshots):
        noisy = [(labels(i=str(n)), 1.0) for n in range(size if i == at_burst else 1)]
        crit = [(labels(i=str(n)), 1.0) for n in range(4)]
        history.append(NOW + 15 * i, {"noisy": noisy, "crit": crit})
    return NOW + 15 * (snapshots - 1)


def test_a_burst_costs_no_other_metric_its_samples():
    crit = compile_expression("count_over_time(crit[24h])")
    noisy = compile_expression("max_over_time(noisy[10m])")
    history = History([crit, noisy], max_samples=2000)
    at = burst(history, 391, 390)
    assert set(crit.evaluate(at, history).values()) == {391.0}
    with pytest.raises(EvaluationError, match="noisy has too many samples"):
        noisy.evaluate(at, history)


def test_a_metric_is_read_again_once_its_burst_has_passed():
    crit = compile_expression("count_over_time(crit[24h])")
    noisy = compile_expression("count_over_time(noisy[10m])")
    history = History([crit, noisy], max_samples=2000)
    at = burst(history, 400, 390)
    assert set(crit.evaluate(at, history).values()) == {400.0}
    assert list(noisy.evaluate(at, history).values()) == [9.0]
    assert history.restarted_at(noisy) == NOW + 15 * 391
    assert history.restarted_at(crit) is None
    after = history.with_expressions([noisy])
    assert (noisy.evaluate(at, after), after.restarted_at(noisy)) == (
        noisy.evaluate(at, history),
        NOW + 15 * 391,
    )


def test_a_metric_that_stays_too_large_is_not_read_again_and_again():
    noisy = compile_expression("max_over_time(noisy[10m])")
    history = History([noisy], max_samples=2000)
    for i in range(100):
        history.append(NOW + 15 * i, {"noisy": [(labels(i=str(n)), 1.0) for n in range(60)]})
    with pytest.raises(EvaluationError, match="noisy has too many samples"):
        noisy.evaluate(NOW + 15 * 99, history)
    assert history.restarted_at(noisy) is None


def test_a_recorded_metric_is_read_again_too():
    reader = compile_expression("count_over_time(r:x[10m])")
    history = History([reader], max_samples=200)
    for i in range(60):
        at = NOW + 15 * i
        history.append(at, {})
        history.record(at, "r:x", {labels(i=str(n)): 1.0 for n in range(500 if i == 20 else 1)})
    assert list(reader.evaluate(at, history).values()) == [float(60 - 22)]


def test_too_many_samples_are_announced_before_they_are_there(caplog):
    expressions = [compile_expression(text) for text in ("delta(c[1h])", "d offset 1m")]
    history = History(expressions, max_samples=1000)
    for i in range(4):
        history.append(NOW + 15 * i, {"c": [(labels(i=str(n)), 1.0) for n in range(5)], "d": []})
    (record,) = caplog.records
    assert record.getMessage() == (
        "ranges and offsets will need 1205 samples, 1205 of them for the 5 series of c;"
        " 1000 are kept, and rules that need more will not be evaluated"
    )


def test_history_keeps_only_what_matches():
    expression = compile_expression('delta(c{x="1"}[1m])')
    history = History([expression])
    for i in range(2):
        history.append(NOW + i, {"c": [(labels(x=x), float(i)) for x in "12"]})
    assert [list(buffer.series) for buffer in history._buffers.values()] == [[labels(x="1")]]
    with pytest.raises(EvaluationError, match="no history is kept"):
        compile_expression("delta(c[1m])").evaluate(NOW + 1, history)
    with pytest.raises(EvaluationError, match="no history is kept"):
        compile_expression('delta(c{x="1"}[2m])').evaluate(NOW + 1, history)


def test_a_clock_that_jumps_back_drops_what_is_then_in_the_future():
    expression = compile_expression("increase(c[1m])")
    history = History([expression])
    for at, value in ((0, 1.0), (15, 2.0), (30, 3.0), (15, 12.0), (30, 22.0)):
        history.append(NOW + at, {"c": [((), value)]})
    history.append(NOW + 30, {"c": [((), 22.0)]})
    assert [s.times.tolist() for t in history._buffers.values() for s in t.series.values()] == [
        [round((NOW + at) * 1000) for at in (0, 15, 30)]
    ]
    assert expression.evaluate(NOW + 30, history)[()] == pytest.approx(21 + 1)


def test_recorded_results_are_seen_by_later_rules_and_keep_history():
    rule = compile_expression("sum by (x) (a)")
    reader, ranged = compile_expression("r:sum > 0"), compile_expression("delta(r:sum[1m])")
    history = History([rule, reader, ranged])
    for i in range(3):
        history.append(NOW + 15 * i, {"a": [(labels(x="1"), 2.0 * i)]})
        if i:  # until it is recorded anew, the last result stays
            assert reader.evaluate(NOW + 15 * i, history).keys() <= {named("r:sum", x="1")}
        history.record(NOW + 15 * i, "r:sum", rule.evaluate(NOW + 15 * i, history))
    assert reader.evaluate(NOW + 30, history) == {named("r:sum", x="1"): 4.0}
    assert ranged.evaluate(NOW + 30, history)[labels(x="1")] == pytest.approx(5.0)
    history.record(NOW + 30, "r:sum", {named("a", x="2"): 7.0})
    assert len(reader.evaluate(NOW + 30, history)) == 2
    history.record(NOW + 31, "r:sum", {})
    assert reader.evaluate(NOW + 31, history) == {}
    with pytest.raises(EvaluationError, match="same labelset"):
        history.record(NOW + 32, "r:sum", {named("a"): 1.0, named("b"): 1.0})


def test_results_recorded_long_ago_are_not_seen():
    reader = compile_expression("r:sum")
    history = History([reader])
    history.append(NOW, {})
    history.record(NOW, "r:sum", {(): 1.0})
    history.append(NOW + 300, {})
    assert reader.evaluate(NOW + 300, history) == {named("r:sum"): 1.0}
    history.append(NOW + 301, {})
    assert reader.evaluate(NOW + 301, history) == {}
    history.record(NOW + 301, "r:sum", {(): 1.0})
    history.append(NOW, {})
    assert reader.evaluate(NOW, history) == {}


def test_other_expressions_take_the_history_over():
    history = History([compile_expression("delta(c[2m])"), compile_expression("d")])
    for i in range(9):
        history.append(NOW + 15 * i, {"c": [(labels(x=x), i * 1.0) for x in "12"]})
    now = NOW + 15 * 8
    narrower = compile_expression('delta(c{x="1"}[1m])')
    longer = compile_expression("delta(c[10m])")
    other = history.with_expressions([narrower, longer, compile_expression("c")])
    assert narrower.evaluate(now, other) == {labels(x="1"): pytest.approx(4.0)}
    assert longer.evaluate(now, other)[labels(x="2")] == pytest.approx(8.5)
    assert other.latest_at == now
    other.append(now + 15, {})
    assert history.latest_at == now


def test_equal_label_sets_in_one_snapshot_count_once():
    expression = compile_expression("delta(c[1m])")
    history = History([expression])
    for i in range(2):
        history.append(NOW + 15 * i, {"c": [((), float(i)), ((), 99.0)]})
    assert expression.evaluate(NOW + 15, history)[()] == pytest.approx(1.5)


def refusal(function, text) -> str:
    try:
        function(text)
    except UnsupportedError as error:
        return str(error)
    return ""


@given(st.text("ab(){}[]\"'`=~!<>+-*/%^,. \n#0159mshonby_:@\\", max_size=25))
def test_any_text_compiles_or_is_refused_in_one_line(text):
    assert "\n" not in refusal(compile_expression, text)


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ("1e400", 2.5),  # skipped
        ("-1e400", 2.5),
        ("0x1p2000", 2.5),
        ("0x1.0", 2.5),
        ("+nan", 2.5),
        ("0x1p3", 4.333333333333333),
        ("-0x1p1", -2.0),
        ("0x1_0p0", 7.0),
        ("1_0", 5.0),
        ("1_.0", 2.5),
        ("5.", 3.333333333333333),
    ],
)
def test_bounds_of_buckets_are_numbers_of_go(bound, expected):
    expression = compile_expression("histogram_quantile(0.3, b)")
    history = History([expression])
    buckets = [(labels(le=le), n) for le, n in ((bound, 5.0), ("2.5", 2.0), ("+Inf", 10.0))]
    history.append(NOW, {"b": buckets})
    assert expression.evaluate(NOW, history) == {(): pytest.approx(expected)}
