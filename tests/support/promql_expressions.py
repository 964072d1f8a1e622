"""Random expressions over the metrics of support.promql."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from support.promql import SERIES


@dataclass
class Text:
    """A generated expression.

    Attributes:
        text: the expression.
        uses: what of the grammar occurs in it.
        like: the labels that its elements may be expected to have.
        exact: the same to the last bit whatever library computes it, so that a condition on it
            cannot turn out differently.
    """

    text: str
    uses: set[str] = field(default_factory=set)
    like: tuple[str, ...] = ()
    exact: bool = True


FUNCTIONS = ("abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "sgn")
INEXACT = ("ln", "exp", "sqrt", "log2", "log10")
DATES = (
    *("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month"),
    "year",
)
COUNTER_FUNCTIONS = ("rate", "increase", "irate", "resets")
RANGE_FUNCTIONS = (
    *COUNTER_FUNCTIONS,
    *("delta", "idelta", "changes", "deriv", "predict_linear"),
    *("avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time"),
    *("quantile_over_time", "stddev_over_time", "stdvar_over_time", "last_over_time"),
    "present_over_time",
)
AGGREGATIONS = ("sum", "avg", "min", "max", "count", "stddev", "stdvar", "group")
WITH_PARAMETER = ("topk", "bottomk", "quantile", "count_values")
ARITHMETIC = ("+", "-", "*", "/", "%", "^")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
SET_OPERATORS = ("and", "or", "unless")
RANGES = ("1s", "1500ms", "2s", "3s", "4s", "7s", "10s", "30s", "1m", "5m", "1h")

OFFSETS = ("1s", "1500ms", "2s", "5s", "12s", "1m")
RATIOS = ("0", "0.1", "0.5", "0.9", "0.99", "1", "-1", "2", "NaN")

GRAMMAR = (
    *DATES,
    *WITH_PARAMETER,
    *("histogram_quantile", "label_replace", "label_join", "offset", "range offset"),
    *("timestamp", "absent_over_time", "subquery", "subquery offset"),
    *FUNCTIONS,
    *INEXACT,
    *RANGE_FUNCTIONS,
    *AGGREGATIONS,
    *ARITHMETIC,
    *COMPARISONS,
    *SET_OPERATORS,
    *("absent", "time", "vector", "scalar", "negative", "positive", "by", "without", "bool"),
    *("on", "ignoring", "group_left", "group_right", "included", "=", "matcher !=", "=~", "!~"),
)
"""Every part that has to occur."""


class Generator:
    """Makes random expressions."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def expression(self) -> Text:
        if self.rng.random() < 0.06:
            return self.scalar(3)
        return self.vector(self.rng.choice((1, 2, 2, 3, 3, 4)))

    def vector(self, depth: int, *, exact: bool = False) -> Text:
        rng = self.rng
        if depth <= 0:
            return self.selector()
        make = rng.choices(
            (
                self.selector,
                self.over_range,
                self.function,
                self.aggregation,
                self.with_scalar,
                self.matched,
                self.grouped,
                self.set_operation,
                self.absent,
                self.vector_of,
                self.unary,
                self.parenthesized,
                self.with_parameter,
                self.histogram_quantile,
                self.relabelled,
                self.of_time,
                self.subquery,
            ),
            (8, 18, 14, 14, 12, 14, 8, 9, 4, 2, 4, 3, 8, 6, 8, 6, 6),
        )[0]
        if make in (self.selector, self.over_range, self.histogram_quantile):
            return make()
        return make(depth, exact=exact)

    def scalar(self, depth: int) -> Text:
        rng = self.rng
        kind = rng.random()
        if depth <= 0 or kind < 0.6:
            numbers = (
                "0",
                "1",
                "2",
                "-1",
                "0.5",
                "3.25",
                "-0.25",
                "10",
                "1e3",
                "0x10",
                "Inf",
                "NaN",
            )
            weights = (3, 4, 4, 2, 3, 3, 2, 3, 1, 1, 0.6, 0.6)
            return Text(rng.choices(numbers, weights)[0])
        if kind < 0.72:
            return Text("time()", {"time"})
        if kind < 0.88:
            inner = self.vector(depth - 1, exact=True)
            if rng.random() < 0.7:
                return Text(f"scalar(sum({inner.text}))", {"scalar", "sum"} | inner.uses)
            return Text(f"scalar({inner.text})", {"scalar"} | inner.uses)
        left, right = self.scalar(depth - 1), self.scalar(depth - 1)
        uses = left.uses | right.uses
        if rng.random() < 0.5:
            sign = rng.choice(COMPARISONS)
            return Text(f"({left.text} {sign} bool {right.text})", uses | {sign, "bool"})
        sign = rng.choice(ARITHMETIC[:5])
        return Text(f"({left.text} {sign} {right.text})", uses | {sign})

    def selector(self, metrics=tuple(SERIES)) -> Text:
        of = self.series(metrics)
        if self.rng.random() < 0.9:
            return of
        return Text(f"{of.text} offset {self.rng.choice(OFFSETS)}", of.uses | {"offset"}, of.like)

    def series(self, metrics=tuple(SERIES)) -> Text:
        rng = self.rng
        weights = [0.3 if metric in ("ghost", "step") else 1 for metric in metrics]
        metric = rng.choices(metrics, weights)[0]
        like = tuple(name for name, _ in SERIES[metric][0])
        if rng.random() < 0.5 or not like:
            return Text(metric, like=like)
        matchers, uses = [], set()
        for _ in range(rng.choice((1, 1, 1, 2))):
            text, use = rng.choice(
                (
                    ('zone="eu"', "="),
                    ('rack="2"', "="),
                    ('nowhere=""', "="),
                    ('zone!="us"', "matcher !="),
                    ('rack!="1"', "matcher !="),
                    ('rack!=""', "matcher !="),
                    ('zone=~"e.|us"', "=~"),
                    ('rack=~"[12]"', "=~"),
                    (r'code=~"(2..|\\d*)"', "=~"),
                    ('zone=~"e"', "=~"),
                    ('zone!~"u"', "!~"),
                    ('rack!~"1|3"', "!~"),
                    ('nowhere!~".+"', "!~"),
                )
            )
            if text not in matchers:
                matchers.append(text)
                uses.add(use)
        joined = ",".join(matchers)
        if rng.random() < 0.1:
            return Text(f'{{__name__="{metric}",{joined}}}', uses, like)
        return Text(f"{metric}{{{joined}}}", uses, like)

    def over_range(self) -> Text:
        rng = self.rng
        name = rng.choice(RANGE_FUNCTIONS)
        counters = ("hits_total", "misses_total", "hits_total", "misses_total", "flap", "weird")
        of = self.series(counters if name in COUNTER_FUNCTIONS else tuple(SERIES))
        needs_two = (*COUNTER_FUNCTIONS, "delta", "idelta", "deriv", "predict_linear")
        samples = f"{of.text}[{rng.choice(RANGES[2:] if name in needs_two else RANGES)}]"
        uses = of.uses | {name}
        if rng.random() < 0.2:
            samples, uses = f"{samples} offset {rng.choice(OFFSETS)}", uses | {"range offset"}
        if name == "quantile_over_time":
            samples = f"{rng.choice(RATIOS)}, {samples}"
        elif name == "predict_linear":
            samples = f"{samples}, {rng.choice(('0', '60', '-5.5', '3600'))}"
        return Text(f"{name}({samples})", uses, of.like)

    def subquery(self, depth: int, *, exact: bool) -> Text:
        rng = self.rng
        name = rng.choice(RANGE_FUNCTIONS)
        of = self.vector(depth - 2, exact=exact)
        step = rng.choice(("500ms", "1s", "1500ms", "2s", "3s", ""))
        duration = rng.choice(("2s", "5s", "8s", "20s") if step else ("1m", "2m"))
        samples, uses = f"({of.text})[{duration}:{step}]", of.uses | {name, "subquery"}
        if rng.random() < 0.25:
            samples, uses = f"{samples} offset {rng.choice(OFFSETS)}", uses | {"subquery offset"}
        if name == "quantile_over_time":
            samples = f"{rng.choice(RATIOS)}, {samples}"
        elif name == "predict_linear":
            samples = f"{samples}, 60"
        elif rng.random() < 0.1:
            name = "absent_over_time"
        return Text(f"{name}({samples})", uses, of.like, of.exact)

    def with_parameter(self, depth: int, *, exact: bool) -> Text:  # noqa: ARG002
        rng = self.rng
        of = self.vector(depth - 1, exact=True)
        name = rng.choice(WITH_PARAMETER)
        if "histogram_quantile" in of.uses and name in ("topk", "bottomk"):
            name = "quantile"  # Prometheus gives the quantiles in no order, and many are equal
        clause, uses = "", of.uses | {name}
        if rng.random() < 0.5:
            kind = rng.choice(("by", "without"))
            names = rng.sample(("zone", "rack", "code"), rng.choice((1, 1, 2)))
            clause, uses = f"{kind} ({', '.join(names)}) ", uses | {kind}
        if name == "quantile":
            return Text(f"quantile {clause}({rng.choice(RATIOS)}, {of.text})", uses)
        if name == "count_values":
            label = rng.choice(("value", "value", "zone", "code"))
            return Text(f'count_values {clause}("{label}", {of.text})', uses, (label,))
        count = rng.choice(("1", "1", "2", "3", "5", "0", "-1", "2.7", "NaN", "1e30"))
        # which of equal values are taken depends on the order of the samples
        return Text(f"{name} {clause}({count}, {of.text})", uses, of.like, of.exact)

    def histogram_quantile(self) -> Text:
        rng = self.rng
        of = self.series(("lat_bucket",))
        duration, uses = rng.choice(RANGES[3:]), of.uses | {"histogram_quantile"}
        buckets = rng.choice(
            (
                of.text,
                f"rate({of.text}[{duration}])",
                f"sum by (le, zone) (rate({of.text}[{duration}]))",
                f"sum by (le) (increase({of.text}[{duration}]))",
                f'label_replace({of.text}, "le", "x", "le", "0.1")',
                f'label_replace({of.text}, "le", "0.1", "le", "0.5")',
                "temp",
            )
        )
        return Text(f"histogram_quantile({rng.choice(RATIOS)}, {buckets})", uses, ("zone",))

    def relabelled(self, depth: int, *, exact: bool) -> Text:
        rng = self.rng
        of = self.vector(depth - 1, exact=exact)
        label = rng.choice(("new", "zone", "rack", "__name__"))
        if rng.random() < 0.3:
            sources = ", ".join(
                f'"{name}"' for name in rng.sample(("zone", "rack", "code", "x"), 2)
            )
            separator = rng.choice(("", "-", "\\n"))
            text = f'label_join({of.text}, "{label}", "{separator}", {sources})'
            return Text(text, of.uses | {"label_join"}, of.like, of.exact)
        source = rng.choice(("zone", "rack", "code", "nowhere", "__name__"))
        pattern, replacement = rng.choice(
            (
                ("(.*)", "$1"),
                ("(.)(.*)", "${2}x$1"),
                ("(?P<a>e.*)|(u.*)", "<$a$2$3>"),
                ("e", "never"),
                ("", "empty"),
                (".+", ""),
                ("[12]", "$0$$"),
            )
        )
        text = f'label_replace({of.text}, "{label}", "{replacement}", "{source}", "{pattern}")'
        return Text(text, of.uses | {"label_replace"}, of.like, of.exact)

    def of_time(self, depth: int, *, exact: bool) -> Text:  # noqa: ARG002
        rng = self.rng
        kind = rng.random()
        if kind < 0.4:
            of = self.selector() if rng.random() < 0.6 else self.vector(depth - 1)
            return Text(f"timestamp({of.text})", of.uses | {"timestamp"}, of.like)
        if kind < 0.55:
            name, duration = rng.choice(("ghost", 'temp{zone="x"}', "nothing")), rng.choice(RANGES)
            return Text(f"absent_over_time({name}[{duration}])", {"absent_over_time"})
        name = rng.choice(DATES)
        of = rng.choice(
            ("", "", "timestamp(temp)", "vector(1.7e9)", "temp * 1e7", "vector(-86401.5)")
        )
        return Text(f"{name}({of})", {name})

    def function(self, depth: int, *, exact: bool) -> Text:
        rng = self.rng
        name = rng.choice(FUNCTIONS if exact else FUNCTIONS + INEXACT)
        jumps = name in ("ceil", "floor", "round")
        of = self.vector(depth - 1, exact=exact or jumps)
        arguments = [of]
        if name == "clamp":
            arguments += [self.scalar(1), self.scalar(1)]
            if rng.random() < 0.8:
                arguments[1:] = [Text(rng.choice(("-5", "-1", "0"))), Text(rng.choice("1258"))]
        elif name in ("clamp_min", "clamp_max") or (name == "round" and rng.random() < 0.6):
            arguments.append(self.scalar(depth - 1))
        return Text(
            f"{name}({', '.join(argument.text for argument in arguments)})",
            {name}.union(*(argument.uses for argument in arguments)),
            of.like,
            of.exact and name not in ("ln", "exp"),
        )

    def aggregation(self, depth: int, *, exact: bool) -> Text:
        rng = self.rng
        of = self.vector(depth - 1, exact=exact)
        name, uses = rng.choice(AGGREGATIONS), set(of.uses)
        names = rng.sample(("zone", "rack", "code", "Caps", "__name__"), rng.choice((0, 1, 1, 2)))
        kind = rng.choice(("", "by", "by", "without"))
        like: tuple[str, ...] = ()
        if kind == "by":
            like = tuple(n for n in of.like if n in names)
        elif kind == "without":
            like = tuple(n for n in of.like if n not in names)
        clause = f"{kind} ({', '.join(names)})" if kind else ""
        uses |= {name, kind} - {""}
        if rng.random() < 0.5:
            return Text(f"{name} {clause} ({of.text})", uses, like, of.exact)
        return Text(f"{name}({of.text}) {clause}".strip(), uses, like, of.exact)

    def with_scalar(self, depth: int, *, exact: bool) -> Text:
        rng = self.rng
        compares = rng.random() < 0.5
        sign = rng.choice(COMPARISONS if compares else ARITHMETIC)
        exact_result = sign != "^"
        if exact and not exact_result:
            sign, exact_result = "*", True
        jumps = compares or sign in "%+-"
        of, by = self.vector(depth - 1, exact=exact or jumps), self.scalar(depth - 1)
        uses = of.uses | by.uses | {sign}
        if compares and rng.random() < 0.4:
            sign, uses = f"{sign} bool", uses | {"bool"}
        sides = [f"({of.text})" if rng.random() < 0.4 else of.text, by.text]
        if rng.random() < 0.3:
            sides.reverse()
        text = f" {sign} ".join(sides)
        return Text(f"({text})", uses, of.like, of.exact and exact_result)

    def matched(self, depth: int, *, exact: bool) -> Text:
        rng = self.rng
        left = self.vector(depth - 1, exact=True)
        right = self.vector(depth - 1, exact=True)
        sign, bool_ = self.operator()
        if sign == "^" and exact:
            sign = "-"
        uses = left.uses | right.uses | {sign} | ({"bool"} if bool_ else set())
        common = tuple(n for n in left.like if n in right.like)
        roll = rng.random()
        clause, like = "", left.like
        if set(left.like) != set(right.like) and roll < 0.85:
            # one to one is then an error, unless the labels on top are aggregated away
            left = Text(f"sum by ({', '.join(common)}) ({left.text})", left.uses | {"sum", "by"})
            right = Text(f"max by ({', '.join(common)}) ({right.text})", right.uses | {"max", "by"})
            uses |= left.uses | right.uses
            like = common
        if roll < 0.3:
            clause, uses = f" on({', '.join(common)})", uses | {"on"}
        elif roll < 0.5:
            names = rng.choice(("__name__", "nowhere", "code", "nowhere, Caps"))
            clause, uses = f" ignoring({names})", uses | {"ignoring"}
        text = f"({left.text} {sign}{bool_}{clause} {right.text})"
        return Text(text, uses, like, sign != "^")

    def operator(self) -> tuple[str, str]:
        if self.rng.random() < 0.5:
            return self.rng.choice(ARITHMETIC), ""
        return self.rng.choice(COMPARISONS), self.rng.choice(("", " bool"))

    def grouped(self, depth: int, *, exact: bool) -> Text:
        rng = self.rng
        many = self.vector(depth - 1, exact=True)
        key = rng.choice(("zone", "rack"))
        ones = {
            "zone": (
                "limit",
                "caps",
                'load{rack="2"}',
                "max by (zone) (temp)",
                "sum(temp) by (zone)",
            ),
            "rack": ("owner_info", 'temp{zone="eu"}', "avg by (rack) (load)", "owner_info"),
        }[key]
        one = Text(rng.choice(ones))
        if rng.random() < 0.1:
            one = self.vector(depth - 1, exact=True)
        sign, bool_ = self.operator()
        if sign == "^" and exact:
            sign = "*"
        uses = many.uses | one.uses | {sign} | ({"bool"} if bool_ else set())
        included = rng.choice(
            ("", "", "owner", "owner, Caps", "zone" if key == "rack" else "rack", "__name__")
        )
        if included:
            uses.add("included")
        match = f"on({key})"
        if rng.random() < 0.25:
            others = ["rack", "zone", "code", "owner", "Caps"]
            others.remove(key)
            match = f"ignoring({', '.join(others)})"
            if included in others or "," in included:
                included = ""
        uses.add(match.partition("(")[0])
        side = rng.choice(("left", "right"))
        uses.add(f"group_{side}")
        clause = f"{sign}{bool_} {match} group_{side}({included})"
        sides = (many.text, one.text) if side == "left" else (one.text, many.text)
        return Text(f"({sides[0]} {clause} {sides[1]})", uses, many.like, sign != "^")

    def set_operation(self, depth: int, *, exact: bool) -> Text:
        rng = self.rng
        left = self.vector(depth - 1, exact=exact)
        right = self.vector(depth - 1, exact=exact)
        sign = rng.choice(SET_OPERATORS)
        uses = left.uses | right.uses | {sign}
        clause = ""
        roll = rng.random()
        if roll < 0.35:
            names = rng.choice(("zone", "rack", "zone, rack", ""))
            clause, uses = f" on({names})", uses | {"on"}
        elif roll < 0.5:
            names = rng.choice(("rack", "code", "zone", "rack, code"))
            clause, uses = f" ignoring({names})", uses | {"ignoring"}
        text = f"({left.text} {sign}{clause} {right.text})"
        return Text(text, uses, left.like, left.exact and right.exact)

    def absent(self, depth: int, *, exact: bool) -> Text:  # noqa: ARG002
        rng = self.rng
        of = self.vector(depth - 1) if rng.random() < 0.3 else self.selector()
        if rng.random() < 0.6:
            text = rng.choice(
                (
                    'nothing{a="1",b="2"}',
                    'temp{zone="x",rack="1"}',
                    'load{zone="x",zone="y",rack="1"}',
                    'load{zone=~"x",zone="y"}',
                    'load{zone="y",zone=~"x"}',
                    'load{zone="y",rack!="1",code=""}',
                    "(nothing{a='1'})",
                    'sum(nothing{a="1"})',
                    'ghost{zone="eu"}',
                )
            )
            of = Text(text)
        return Text(f"absent({of.text})", of.uses | {"absent"})

    def vector_of(self, depth: int, *, exact: bool) -> Text:  # noqa: ARG002
        of = self.scalar(depth - 1)
        return Text(f"vector({of.text})", of.uses | {"vector"})

    def unary(self, depth: int, *, exact: bool) -> Text:
        of = self.vector(depth - 1, exact=exact)
        if self.rng.random() < 0.3:
            return Text(f"+{of.text}", of.uses | {"positive"}, of.like, of.exact)
        return Text(f"-{of.text}", of.uses | {"negative"}, of.like, of.exact)

    def parenthesized(self, depth: int, *, exact: bool) -> Text:
        of = self.vector(depth - 1, exact=exact)
        return Text(f"({of.text})", of.uses, of.like, of.exact)
