"""What is refused in a template, and why; promtool is asked elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_rules.templates import QuerySample, TemplateContext, TemplateError, parse


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ with $value }}", "with without its end"),
        ("{{ if $value }}{{ range $labels }}{{ end }}", "if without its end"),
        ("{{ end }}", "{{ end }} without if or with or range before it"),
        ("{{ else }}", "{{ else }} without if or with or range before it"),
        ("{{ if $value }}{{ else }}{{ else }}{{ end }}", "if without its end"),
        ("{{ range $labels }}{{ else if $value }}{{ end }}", "unexpected {{ else if $value }} in"),
        ("{{ if }}{{ end }}", "a value is missing in {{ if }}"),
        ("{{ }}", "a value is missing"),
        ("{{ $x }}", "undefined variable $x in {{ $x }}"),
        ("{{ if $value }}{{ $x := 1 }}{{ end }}{{ $x }}", "undefined variable $x"),
        ("{{ with $x := 1 }}{{ end }}{{ $x }}", "undefined variable $x"),
        ("{{ $x = 1 }}", "undefined variable $x"),
        ("{{ 1 := 2 }}", "only a variable can be assigned to"),
        ("{{ range $x = $labels }}{{ end }}", "range assigns with :="),
        ("{{ template `x` }}", "template is outside the supported subset of templates"),
        ("{{ define `x` }}{{ end }}", "define is outside the supported subset of templates"),
        ("{{ range $labels }}{{ break }}{{ end }}", "break is outside the supported subset"),
        ("{{ nothing }}", "the function nothing is not supported; these are: humanize, "),
        ("{{ $value | printf }}", ""),
        ("{{ first }}", "first takes 1 argument, not 0, in {{ first }}"),
        ("{{ printf }}", "printf takes 1 or more arguments, not 0"),
        ("{{ $value | $labels }}", "$labels is no function"),
        ("{{ 1 2 }}", "1 is no function"),
        ("{{ (1 }}", "a ) is missing"),
        ("{{ 1 ) }}", "unexpected )"),
        ("{{ print if }}", "unexpected if"),
        ("{{ `a`.b }}", "unexpected .b"),
        ("{{ $value ? 1 }}", "unexpected '?' in {{ $value ? 1 }}"),
        ('{{ "\\q" }}', 'not a text: "\\q"'),
        ("{{ $value", "a {{ without its }}"),
        ('{{ "a }}', "a {{ without its }}"),
    ],
)
def test_a_mistake_is_reported_as_what_it_is(source, reason):
    if not reason:
        parse(source)
        return
    with pytest.raises(TemplateError) as refused:
        parse(source)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ .Nothing }}", "can't evaluate field Nothing in type object"),
        ("{{ $value.x }}", "can't evaluate field x in type float64"),
        ("{{ range $value }}{{ end }}", "range can't iterate over 2"),
        ("{{ gt $value 1 }}", "gt: incompatible types for comparison"),
        ("{{ lt true false }}", "lt: invalid type for comparison"),
        ("{{ query `x` | first }}", "first: first() called on vector with no elements"),
        ("{{ len 3 }}", "len: expected a text, a map or a list"),
        ("{{ index $labels 3 }}", "index: expected a text"),
        ("{{ match `(` `x` }}", "match: the regular expression '(' is wrong: missing )"),
        ("{{ `x` | humanize }}", "humanize: could not convert"),
        ("{{ parseDuration `soon` }}", "parseDuration: expected a duration such as 5m"),
        ("{{ toUpper 3 }}", "toUpper: expected a text"),
    ],
)
def test_what_cannot_be_expanded_gives_the_reason(source, reason):
    context = TemplateContext({"model": "m"}, 2.0, query=lambda _: [])
    with pytest.raises(TemplateError) as failed:
        parse(source).expand(context)
    assert reason in str(failed.value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('{{ printf "%99999999999d" 1 }}', "%!(BADWIDTH)1"),
        ('{{ printf "%.99999999999f" 1.5 }}', "%!(BADPREC)1.500000"),
        ('{{ printf "%1000d" 1 | len }}', "1000"),
    ],
)
def test_no_text_is_padded_without_limit(source, text):
    assert parse(source).expand(TemplateContext({}, 1.0, query=lambda _: [])) == text


def test_the_queries_of_a_template_are_known_as_far_as_they_are_literal():
    template = parse(
        "{{ query `a` }}{{ if query `b` }}{{ with (query `c` | first).Value }}"
        "{{ range query (printf `d{x=%q}` .Labels.x) }}{{ query $.Labels.y }}"
        "{{ end }}{{ else }}{{ query `e` }}{{ end }}{{ else }}{{ $x := query `f` }}{{ end }}"
    )
    assert list(template.queries()) == ["a", "b", "c", 'd{x="x"}', "e", "f"]


def test_what_is_not_reached_is_not_evaluated():
    asked: list[str] = []

    def query(text: str) -> list[QuerySample]:
        asked.append(text)
        return []

    source = "{{ if and $labels.none (query `a`) }}{{ query `b` }}{{ end }}{{ or 1 (query `c`) }}"
    assert parse(source).expand(TemplateContext({}, 1.0, query=query)) == "1"
    assert asked == []


@given(st.text('{}- "`$.|():=,x1\\\nifendlsrawthg/*', max_size=40))
def test_any_text_is_parsed_or_refused_in_one_line(source):
    reason = ""
    try:
        parse("{{" + source + "}}")
    except TemplateError as error:
        reason = str(error)
    assert source.count("\n") >= reason.count("\n")


def test_the_deepest_templates_are_refused_or_expanded():
    context = TemplateContext({}, 1.0)
    for depth in (50, 51, 10_000):
        blocks = "{{ if 1 }}" * depth + "x" + "{{ end }}" * depth
        brackets = "{{ " + "(" * depth + "1" + ")" * depth + " }}"
        if depth == 50:
            assert parse(blocks).expand(context) == "x"
            assert parse(brackets).expand(context) == "1"
            continue
        with pytest.raises(TemplateError, match="too deeply nested"):
            parse(blocks)
        with pytest.raises(TemplateError, match="too many brackets"):
            parse(brackets)
    piped = "{{ 1" + " | print" * 5000 + " }}"
    with pytest.raises(TemplateError, match="too many brackets"):
        parse(piped)
