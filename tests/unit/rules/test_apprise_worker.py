"""The text of a notification, as the worker process changes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlguard_rules.apprise_worker.body import shorten, without_markup

FOOTER = "What to do: mlguard rules explain A\n\nFigures: [http://x](http://x)"


def test_a_long_message_loses_its_last_alerts_and_keeps_what_to_do():
    body = "\n\n".join([*(f"**alert {i}** {'x' * 200}" for i in range(10)), FOOTER])
    cut = shorten(body, 1000)
    assert len(cut) <= 1000
    assert cut.startswith("**alert 0**")
    assert cut.endswith("...\n\n" + FOOTER)
    assert shorten(body, 10_000) == body


def test_plain_text_keeps_its_addresses():
    assert without_markup("**a** [http://x](http://x)") == "a http://x"


@given(
    st.lists(st.text("ab *_[]()`\n", max_size=60), max_size=8),
    st.lists(st.sampled_from(["What to do: x", "Figures: [http://x](http://x)"]), max_size=3),
    st.integers(0, 200),
)
def test_a_text_that_is_cut_is_never_longer_than_the_limit(head, footer, limit):
    body = "\n\n".join([*head, *footer])
    cut = shorten(body, limit)
    assert len(cut) <= limit
    if len(body) <= limit:
        assert cut == body
