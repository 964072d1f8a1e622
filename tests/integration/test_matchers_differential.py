"""Strings of matchers mean what Alertmanager's amtool makes of them."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from support.matcher_strings import LABELS, strings

from mlguard_rules.matchers import all_match, parse_matchers

SEED, COUNT = 7, 4000
NAMES = ("a", "b", "c_1", "_d", "n:s")


def config(texts: list[str]) -> str:
    """A configuration whose route `r<number>` takes what the matchers of that number match."""
    routes = [
        {"receiver": f"r{i}", "matchers": [text], "continue": True} for i, text in enumerate(texts)
    ]
    receivers = [{"name": "none"}, *({"name": f"r{i}"} for i in range(len(texts)))]
    return json.dumps({"route": {"receiver": "none", "routes": routes}, "receivers": receivers})


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    return done.stdout


def accepted(texts: list[str], folder) -> set[str]:
    """Those that amtool accepts, each in a file of its own."""
    for i, text in enumerate(texts):
        (folder / f"{i}.json").write_text(config([text]))
    answer = amtool("check-config", *(str(folder / f"{i}.json") for i in range(len(texts))))
    verdicts = re.findall(r"Checking '[^']*/(\d+)\.json'\s+(SUCCESS|FAILED)", answer)
    assert [int(i) for i, _ in verdicts] == list(range(len(texts)))
    return {texts[int(i)] for i, verdict in verdicts if verdict == "SUCCESS"}


def ours(text: str):
    try:
        return parse_matchers(text)
    except ValueError:
        return None


@pytest.mark.needs("amtool")
def test_what_amtool_refuses_is_refused_and_nothing_else(tmp_path):
    texts = strings(SEED, COUNT)
    theirs = accepted(texts, tmp_path)
    assert [t for t in texts if (ours(t) is not None) != (t in theirs)] == []
    assert COUNT / 3 < len(theirs) < COUNT * 0.9


@pytest.mark.needs("amtool")
def test_what_is_accepted_matches_the_same_labels(tmp_path):
    parsed = {text: ours(text) for text in strings(SEED + 1, COUNT)}
    texts = [text for text, matchers in parsed.items() if matchers is not None]
    file = tmp_path / "alertmanager.json"
    file.write_text(config(texts))
    wrong, seen = [], set()
    for i, value in enumerate(LABELS):
        labels = {NAMES[0]: value, NAMES[1 + i % 4]: LABELS[(i * 5 + 3) % len(LABELS)]}
        answer = amtool(
            *("config", "routes", "test", f"--config.file={file}"),
            *(f"{name}={json.dumps(text, ensure_ascii=False)}" for name, text in labels.items()),
        )
        takes = {int(r[1:]) for r in answer.split("\n")[0].split(",") if r[1:].isdigit()}
        assert takes, (labels, answer)
        seen |= takes
        wrong += [
            (text, labels)
            for i, text in enumerate(texts)
            if all_match(parsed[text] or (), labels) != (i in takes)
        ]
    assert wrong == []
    assert len(seen) > len(texts) / 2


@pytest.mark.parametrize("text", strings(SEED + 2, 300))
def test_a_printed_matcher_is_parsed_to_itself(text):
    matchers = ours(text) or ()
    assert parse_matchers("{" + ",".join(map(str, matchers)) + "}") == matchers
