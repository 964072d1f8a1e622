"""Random strings of matchers, well-formed and not, for a parser to be compared with amtool."""

from __future__ import annotations

import random

NAMES = ("a", "b", "c_1", "_d", "n:s", "1a", "a-b", "", "é")
OPERATORS = ("=", "!=", "=~", "!~", "==", "~", "=!", "")
VALUES = (
    "", "x", "y", "critical", "a b", " x ", "x,y", "é", "{x}", "}", "#", "x=y", "=", "'x'",
    r"churn\.v1", r"churn\\.v1", r"a\\b", r"a\b", r"a\"b", 'a"b', r"a\nb", r"\n", "\\", r"\\",
    r"x\,", r"\"", '"', "a|b", "(a.*|b.*|c.*)", "(a|b)+", "(a+)+x", "x.*", ".*", ".+", "[ab]+",
    "[^x]*", "x?", "(?i)X", "(", ")", "a)(b", "[", "*", "a{2}", "a{2,1}", "a{", "x$", "^x",
    r"\d+", r"\pL", r"\z", r"\Z", r"\8", r"\x41", r"\Qa.b\E", "a**", "(?P<n>x)", "(?=x)",
    "[[:alpha:]]", "a{1001}",
)  # fmt: skip
LABELS = (
    "x", "y", "critical", "a b", " x ", "x,y", "é", "{x}", "}", "x=y", "'x'", "churn.v1",
    "churn\\.v1", "churnxv1", "churn\\xv1", "a\\b", "a\\\\b", 'a"b', "a\nb", "\n", "\\", '"',
    "x\\,", "a", "b", "ab", "aa", "X", "xyz", "12", "A", "a.b", "axb", "n", "bar", "cab",
    "a'b", "#",
)  # fmt: skip
"""Values of labels that some matchers tell from others."""


def strings(seed: int, count: int) -> list[str]:
    """Distinct strings; about half of them are well-formed."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found[_matchers(rng)] = None
    return list(found)


def _matchers(rng: random.Random) -> str:
    parts = [_matcher(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
    text = rng.choice((",", ",", ", ", " , ")).join(parts)
    if rng.random() < 0.1:
        text = rng.choice((text + ",", "," + text, text + ", ", text.replace(",", ",,")))
    if rng.random() < 0.25:
        text = rng.choice(("{%s}", "{%s}", "{ %s }", "{%s", "%s}", "{{%s}}", " {%s}")) % text
    if rng.random() < 0.1:
        at = rng.randrange(len(text) + 1)
        text = (
            text[:at] + rng.choice(("", '"', "\\", ",", " ", "}", "\t", "\u00a0")) + text[at + 1 :]
        )
    return text


def _matcher(rng: random.Random) -> str:
    name = rng.choice(NAMES[:5]) if rng.random() < 0.97 else rng.choice(NAMES)
    operator = rng.choice(OPERATORS[:4]) if rng.random() < 0.97 else rng.choice(OPERATORS)
    value = rng.choice(VALUES)
    if rng.random() < 0.4:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    if rng.random() < 0.6:
        value = f'"{value}"'
    elif rng.random() < 0.05:
        value = rng.choice((f'"{value}', f'{value}"', f"'{value}'", f'"{value}"x'))
    spaces = [rng.choice(("", "", "", "", " ", "\t")) for _ in range(4)]
    return f"{spaces[0]}{name}{spaces[1]}{operator}{spaces[2]}{value}{spaces[3]}"


ATOMS = (
    "a", "b", ".", r"\.", r"\d", r"\w", r"\s", r"\-", r"\_", r"\/", r"\@", "[ab]", "[^a]", "[a[b]",
    "[]a]", "[a-z]", "[a--b]", "[a&&b]", r"[\d]", r"[\w-]", r"[\]]", "[[:alpha:]]", r"\pL",
    r"\p{Greek}", r"\Qa.b\E", r"\z", r"\A", r"\b", r"\x41", r"\x{41}", r"\101", r"\n", "(a)",
    "(?:a)", "(?i)a", "(?i:a)", "(?P<n>a)", "(a|b)", "{", "}", "a{2}", "a{2,}", "a{,2}", "{a}",
    "a{1001}", "$", "^", "é", r"\é", ":", r"\:", "~", "#", " ", r"\ ", "&&", "--", r"\<", r"\ue9",
    r"\C", "[é-ü]", "[[a]]", "[a-]", "[-a]", r"[\-]", "[.*]", "(?=a)", "(", "|",
)  # fmt: skip
REPETITIONS = ("", "", "", "*", "+", "?", "*?", "+?", "??", "{1,2}", "**", "{0}")


def patterns(seed: int, count: int) -> list[str]:
    """Distinct regular expressions, right and wrong."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        parts = (
            rng.choice(ATOMS) + rng.choice(REPETITIONS) for _ in range(rng.choice((1, 1, 2, 3)))
        )
        found["".join(parts)] = None
    return list(found)
