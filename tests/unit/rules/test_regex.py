"""Regular expressions are those of RE2, anchored, and take time linear in the text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_rules.errors import PatternError
from mlguard_rules.regex import compile_pattern


@pytest.mark.parametrize(
    "pattern", ["(?<n>x)", r"\\(?<n>x)", "[]](?<n>x)", "(?:a(?<b>c))", r"\Qa\E(?<n>x)"]
)
def test_a_group_is_named_as_in_go(pattern):
    with pytest.raises(PatternError, match=r"invalid perl operator \(\?<; .* \(\?P<name>"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"\(?<n>x", "[(?<n>]", r"\Q(?<n>x\E", "[^](?<n>]", "[[:alpha:](?<n>]", r"[\](?<n>]"],
)
def test_what_only_looks_like_a_named_group_is_none(pattern):
    assert compile_pattern(pattern).source == pattern


@pytest.mark.parametrize(
    ("replacement", "result"),
    [
        ("[$é]", "[]"),
        ("[${é}]", "[]"),
        ("$1é", ""),
        ("$1²", "x²"),
        ("$²", "$²"),
        ("${1²}", "${1²}"),
    ],
)
def test_a_name_in_a_replacement_has_letters_and_digits(replacement, result):
    assert compile_pattern("(x)").expand(replacement, "x") == result


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a|bc", ["a", "bc"], ["abc", "ac", ""]),
        ("", [""], ["a"]),
        ("a$", ["a"], ["a\n"]),
        (".*", ["", "é"], ["a\nb"]),
        ("(?s).*", ["a\nb"], []),
        ("(?i)abc", ["ABC", "aBc"], ["abd"]),
        (r"\d+", ["12"], ["٣"]),
        (r"[\d_]+\.\w", ["1_.x"], ["1_.é", "1_xx"]),
        (r"\D\S", ["٣é"], ["1 ", "٣ "]),
        ("a{,2}", ["a{,2}"], ["aa"]),
        ("a{2,3}?b*?", ["aa", "aaabb"], ["a"]),
        ("[]a^-]+", ["]-^a"], ["b"]),
        ("[^]a]", ["b"], ["]", "a"]),
        (r"(?P<n>x)(?:y)\x41\-", ["xyA-"], ["xy"]),
        ("(a.*|b.*|c.*)", ["a1", "b", "cc"], ["d"]),
        ("(a|b)+(?i:x)", ["abX"], ["x"]),
        (r"[[:alpha:]]\pL\Q.*\E", ["aé.*"], ["aé"]),
        ("a)(b", ["ab"], ["a", "b"]),
        (r"\\C", ["\\C"], ["C"]),
        (r"\Aa\z", ["a"], ["b"]),
    ],
)
def test_patterns_match_as_in_re2(pattern, matching, other):
    compiled = compile_pattern(pattern)
    assert all(compiled.matches(text) for text in matching)
    assert not any(compiled.matches(text) for text in other)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing )"),
        ("a)", "unexpected )"),
        ("[", "missing ]"),
        ("*a", "no argument for repetition operator"),
        ("a**", "bad repetition operator"),
        ("x{1001}", "invalid repetition size"),
        ("(?=a)", "invalid perl operator"),
        (r"\1", "invalid escape sequence"),
        (r"a\C", "invalid escape sequence"),
        ("\\", "trailing \\"),
        ("\ud800", "it is not Unicode"),
    ],
)
def test_a_wrong_pattern_is_refused_with_the_reason(pattern, reason):
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)
    assert repr(pattern) in str(refused.value)
    assert reason in refused.value.reason
    assert "a)" not in refused.value.reason


@pytest.mark.parametrize(
    "pattern", ["(a|a)*b", "(a+)+", "(a*b?)*", "(?:x|xx){2,}", "a*" * 9, "a?" * 30 + "a" * 30]
)
def test_no_pattern_takes_long(pattern):
    matches = compile_pattern(pattern).matches
    begin = time.process_time()
    for char in "abx":
        matches(char * 10_000 + "!")
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "result"),
    [
        ("(.*):.*", "$1", "host:80", "host"),
        ("(.*):(.*)", "${2}x$1", "host:80", "80xhost"),
        ("(?P<h>.*):.*", "$h-${h}", "host:80", "host-host"),
        ("(.*)", "$1x$$y$", "a", "$y$"),
        ("(a)|(b)", "<$1$2$3>", "b", "<b>"),
        ("(a)", "$0", "a", "a"),
        ("a", "x", "b", None),
    ],
)
def test_a_replacement_is_expanded_as_in_go(pattern, replacement, text, result):
    assert compile_pattern(pattern).expand(replacement, text) == result


@given(st.text("ab1.*+?|()[]{}^$\\,-dws", max_size=8))
def test_a_pattern_is_refused_in_one_line_or_compiles(pattern):
    reason = ""
    try:
        compile_pattern(pattern)
    except PatternError as error:
        reason = str(error)
    assert "\n" not in reason
