"""The text of a notification, as the worker process changes it."""

from __future__ import annotations

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
