"""The text of notifications."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlguard_rules.alert import Alert
from mlguard_rules.notify import AlertGroup, Links, NotifyConfig, Route, render

NOW = 1_769_849_160.0  # 2026-01-31 08:46 UTC
LINKS = Links("http://127.0.0.1:9520", "https://git.example.org/mlguard")
(ROUTE,) = Route.configured(NotifyConfig())
WHERE = {"project": "shop", "model": "churn_v1", "model_endpoint": "predict"}


def drift(feature="age", severity="warning", resolved_at=None, **labels: str) -> Alert:
    labels = {
        "alertname": "MLGuardFeatureDrift",
        "feature": feature,
        "kind": "feature",
        "severity": severity,
        **WHERE,
        **labels,
    }
    annotations = {
        "summary": f"{feature} of shop/churn_v1/predict has drifted",
        "description": f"Values of {feature} no longer look like the baseline: the population "
        "stability index is 0.31, over the limit of 0.20 and beyond chance.",
        "runbook_url": "rules/README.md#mlguardfeaturedrift",
    }
    return Alert(
        tuple(sorted(labels.items())), tuple(annotations.items()), NOW - 31 * 60, resolved_at
    )


def rendered(firing=(), resolved=(), links=LINKS, omitted=0):
    return render(AlertGroup(ROUTE, tuple(firing), tuple(resolved), omitted), links, NOW)


def test_one_alert_says_what_where_the_number_since_when_and_what_to_do():
    message = rendered([drift()])
    assert message.title == "[WARNING] MLGuardFeatureDrift: shop/churn_v1/predict"
    assert message.notify_type == "warning"
    runbook = "https://git.example.org/mlguard/rules/README.md#mlguardfeaturedrift"
    assert message.body.split("\n\n") == [
        (
            "**age of shop/churn_v1/predict has drifted**. Values of age no longer look like the "
            "baseline: the population stability index is 0.31, over the limit of 0.20 and beyond "
            "chance. Since 2026-01-31 08:15 UTC, for 31 min."
        ),
        f"What to do: [{runbook}]({runbook})",
        "Figures: [http://127.0.0.1:9520](http://127.0.0.1:9520)",
    ]


def test_the_readme_shows_such_a_message():
    message = rendered([drift()], links=Links())
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    block = next(part for part in readme.split("```") if "[WARNING]" in part)
    sent = f"{message.title} {message.body}".replace("**", "")
    assert " ".join(block.split()) == " ".join(sent.split())


def test_the_worst_comes_first_and_its_severity_is_the_title_s():
    message = rendered(
        [drift("sex"), drift("age", "critical")], [drift("zip", resolved_at=NOW - 60)]
    )
    assert message.title == (
        "[CRITICAL] MLGuardFeatureDrift: shop/churn_v1/predict (2 firing, 1 resolved)"
    )
    first, second, heading, third = message.body.split("\n\n")[:4]
    assert first.startswith("**age of shop/churn_v1/predict has drifted** (critical).")
    assert second.startswith("**sex of shop/churn_v1/predict has drifted** (warning).")
    assert heading == "**Resolved**"
    assert third == (
        "**zip of shop/churn_v1/predict has drifted**. "
        "From 2026-01-31 08:15 UTC to 2026-01-31 08:45 UTC, for 30 min."
    )


def test_the_end_is_good_news():
    message = rendered(resolved=[drift(resolved_at=NOW)])
    assert message.title == "[RESOLVED] MLGuardFeatureDrift: shop/churn_v1/predict"
    assert message.notify_type == "success"


def test_many_are_counted_and_the_text_is_bounded():
    message = rendered([drift(f"f{i:04}") for i in range(10_000)], omitted=7)
    assert message.title.endswith("(10,000 firing)")
    assert "and 9,990 more: MLGuardFeatureDrift 9,990" in message.body
    assert "and 7 more" in message.body
    assert len(message.body) < 4000


def test_the_same_of_many_pods_is_said_once():
    message = rendered([drift(instance=f"pod-{i:03}") for i in range(500)])
    assert message.body.count("has drifted") == 1
    assert "500 times, instance: pod-000, pod-001, pod-002, pod-003, pod-004 and 495 more" in (
        message.body
    )


def test_nothing_that_a_sender_chose_becomes_markup():
    nasty = "<!channel> <img src=x> [click](http://evil.example.org)\n# big"
    alert = Alert(
        (("alertname", "A"), ("feature", nasty), ("severity", "warning")),
        (("summary", nasty), ("description", nasty), ("runbook_url", f"x {nasty}")),
        NOW,
    )
    body = rendered([alert]).body
    assert "<" not in body
    assert "](http://evil" not in body
    assert "\n#" not in body


@pytest.mark.parametrize(
    "url",
    [
        "https://x.example.org/<img/src=//evil/p.png>",
        "javascript://x%0aalert(1)",
        "https://x.example.org/)[y](http://evil.example.org",
        "https://x.example.org/`*|'\"",
        "https://x.example.org/" + "a" * 3_000_000,
    ],
)
def test_an_address_that_a_sender_chose_is_no_more_than_an_address(url):
    alert = Alert((("alertname", "A"),), (("runbook_url", url),), NOW, None, url)
    body = rendered([alert], links=Links()).body
    assert "](" not in body
    assert "<" not in body
    assert len(body) < 2000


def test_nobody_is_called_by_a_name_in_a_label():
    alert = Alert((("alertname", "A"), ("model", "@everyone *now* `x`")), (), NOW)
    body = rendered([alert]).body
    assert "@everyone" not in body
    assert "*now*" not in body.replace("**", "")
    assert "`" not in body


def test_an_alert_without_texts_still_says_what_it_is():
    alert = Alert((("alertname", "Plain"), ("disk", "sda")), (), NOW - 86_400 * 3)
    message = rendered([alert], links=Links())
    assert message.title == "[INFO] Plain"
    assert message.body == "**Plain** (disk=sda). Since 2026-01-28 08:46 UTC, for 3 d."


def latency(model: str, value: float, severity="warning", resolved_at=None) -> Alert:
    labels = {"alertname": "Slow", "model": model, "severity": severity}
    annotations = {"summary": "p95 is high", "description": f"It is {value:g} s."}
    named, texts = tuple(sorted(labels.items())), tuple(annotations.items())
    return Alert(named, texts, NOW - 60, resolved_at, value=value)


def test_alerts_that_differ_in_a_value_are_told_apart_the_worst_first():
    values = [3, 12, 7, 1, 9, 4, 11, 2, 8, 6, 5, 10]
    body = rendered([latency(f"m{v}", v) for v in values], links=Links()).body
    paragraphs = body.split("\n\n")
    assert [p.split("It is ")[1].split(" s.")[0] for p in paragraphs[:10]] == [
        str(v) for v in range(12, 2, -1)
    ]
    assert paragraphs[0].startswith("**p95 is high** (model=m12). It is 12 s.")
    assert paragraphs[10] == "and 2 more: Slow 2"
    assert "times" not in body


def test_replicas_that_say_something_else_are_told_apart():
    alerts = [drift(instance="a"), drift(instance="b"), drift(instance="c")]
    other = dict(alerts[2].annotations) | {"description": "Something else."}
    alerts[2] = replace(alerts[2], annotations=tuple(other.items()))
    body = rendered(alerts).body
    assert "2 times, instance: a, b" in body
    assert "(instance=c). Something else." in body


def test_what_was_resolved_is_named():
    ended = [latency(f"m{i:02}", i, resolved_at=NOW) for i in range(15)]
    body = rendered(resolved=ended, links=Links()).body
    for i in range(10, 15):
        assert f"(model=m{i:02})" in body
    named = [drift(f"feature-{i:02}", resolved_at=NOW) for i in range(18)]
    body = rendered(resolved=named, links=Links()).body
    assert all(f"feature-{i:02} of shop" in body for i in range(18))


@pytest.mark.parametrize(
    ("severity", "title", "kind"),
    [
        ("critical", "[CRITICAL]", "failure"),
        ("CRITICAL", "[CRITICAL]", "failure"),
        ("page", "[page]", "failure"),
        ("P1", "[P1]", "failure"),
        ("emergency", "[emergency]", "failure"),
        ("error", "[error]", "failure"),
        ("sev3", "[sev3]", "warning"),
        ("warning", "[WARNING]", "warning"),
        ("none", "[none]", "info"),
        ("info", "[INFO]", "info"),
        ("whatever", "[whatever]", "warning"),
    ],
)
def test_a_severity_is_shown_as_it_is_and_ranks_as_it_is_meant(severity, title, kind):
    message = rendered([drift(severity=severity)])
    assert message.title.startswith(f"{title} MLGuard")
    assert message.notify_type == kind


def test_the_worst_of_foreign_severities_is_the_title_s():
    message = rendered([drift("a", "info"), drift("b", "sev3"), drift("c", "P1")])
    assert message.title.startswith("[P1]")
    assert message.body.startswith("**c of shop")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("__other__ is high", "`__other__` is high"),
        ("(_x_), then churn_v1.", "(`_x_`), then churn_v1"),
        ("f(_a_)(_b_) moved", "`f(_a_)(_b_)` moved"),
        ("It is bad.", "It is bad"),
        ("__index_level_0__: 1", "`__index_level_0__`: 1"),
        ("at C:\\data now", "at `C:\\data` now"),
        ("a&lt;b and R&D", "`a&lt;b` and R&D"),
        ("snake_case and __init__.", "snake_case and `__init__`"),
    ],
)
def test_a_name_that_markdown_would_change_is_a_span_of_code(text, shown):
    alert = Alert((("alertname", "A"),), (("summary", text),), NOW)
    assert rendered([alert], links=Links()).body.startswith(f"**{shown}**")


def test_a_value_that_is_no_number_comes_last():
    body = rendered([latency(f"m{v}", v) for v in (1, float("nan"), 3, 2)], links=Links()).body
    shown = [p.split("It is ")[1].split(" s.")[0] for p in body.split("\n\n")[:4]]
    assert shown == ["3", "2", "1", "nan"]


def test_two_alerts_are_never_told_in_the_same_words():
    texts = (("summary", "age drift"), ("description", "no full stop"))
    alerts = [
        Alert((("alertname", "A"), ("f", name), ("severity", "info")), texts, NOW)
        for name in ("age", "drift")
    ]
    first, second = rendered(alerts, links=Links()).body.split("\n\n")[:2]
    assert first.startswith("**age drift** (f=age). no full stop. Since ")
    assert second.startswith("**age drift** (f=drift). no full stop. Since ")
