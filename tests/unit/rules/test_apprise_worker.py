"""The text of a notification, as the worker process changes it."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from email.utils import formatdate
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlguard_rules.apprise_worker.body import shorten, without_markup
from mlguard_rules.apprise_worker.cleaning import Cleaner
from mlguard_rules.apprise_worker.outcome import Answer, outcome_of
from mlguard_rules.errors import SendReason

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


URL = "json://joeuser:p%40ss%2Fw0rd@hooks.example.org/T1JJ3/ABCDEFGHIJKLMNOP?token=a%2Bb%2Fc%3D%3D"
PASSWORD = "p@ss/w0rd"
ECHOES = [
    PASSWORD,
    quote(PASSWORD, safe=""),
    quote_plus(PASSWORD),
    b64encode(f"joeuser:{PASSWORD}".encode()).decode(),
    b64encode(f"\0joeuser\0{PASSWORD}".encode()).decode(),
    b64encode(PASSWORD.encode()).decode(),
    b64encode(b"joeuser").decode(),
    "JOEUSER",
    "abcdefghij...",
    "a+b/c==",
    "a%2bb%2fc%3d%3d",
    "T1JJ3",
    "xoxb-123456789012-abcdefABCDEF12",
]


@pytest.mark.parametrize("echo", ECHOES)
def test_nothing_of_a_url_is_shown_in_whatever_form_it_comes_back(echo):
    shown = Cleaner(URL)(f"refused: {echo}, invalid_blocks")
    assert shown == "refused: *** invalid_blocks"


def answer(status: int, text: str | bytes = b"", **headers: str) -> Answer:
    body = text if isinstance(text, bytes) else text.encode()
    return Answer(status, headers, body)


NO_CHAT = '{"description": "Bad Request: chat not found"}'
NO_TOKEN = '{"token": "invalid", "errors": ["token is invalid"]}'
CLOSED = "Socket Exception: Connection unexpectedly closed: 250 bytes"


@pytest.mark.parametrize(
    ("events", "lines", "reason"),
    [
        ([answer(200), "connection error: Connection aborted"], [], SendReason.CONNECTION),
        ([answer(400, "no"), "connection error: timed out"], [], SendReason.TIMEOUT),
        ([answer(200, "{}")], [], SendReason.UNKNOWN),
        ([answer(200, "<html>")], ["A Connection error occurred"], SendReason.CONNECTION),
        ([answer(400, NO_CHAT)], [], SendReason.CREDENTIALS),
        ([answer(400, NO_TOKEN)], [], SendReason.CREDENTIALS),
        ([answer(400, "invalid_token")], [], SendReason.CREDENTIALS),
        ([answer(200, "no_permission")], [], SendReason.CREDENTIALS),
        ([answer(302)], [], SendReason.CREDENTIALS),
        ([answer(405)], [], SendReason.CREDENTIALS),
        ([answer(400, "invalid_payload")], [], SendReason.REFUSED),
        ([], ["Socket Exception: (553, b'Sender address rejected')"], SendReason.CREDENTIALS),
        ([], ["Socket Exception: (550, b'not permitted to send as x')"], SendReason.CREDENTIALS),
        ([], ["Socket Exception: (454, b'TLS not available')"], SendReason.CONNECTION),
        ([], ["Socket Exception: {'a 550 b@c': (450, b'greylisted')}"], SendReason.UNAVAILABLE),
        ([], [CLOSED], SendReason.CONNECTION),
        ([], ["SMTP on port 587, sent to 465 people"], SendReason.UNKNOWN),
    ],
)  # fmt: skip
def test_what_was_seen_last_decides_why(events, lines, reason):
    assert outcome_of(events, lines, "json://x").reason is reason


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "120"}, {}, 120),
        ({"retry-after": "1e9"}, {}, None),
        ({"Retry-After": "in ten minutes"}, {}, 600),
        ({"Retry-After": "99999"}, {}, 3600),
        ({}, {"parameters": {"retry_after": 35}}, 35),
        ({}, {"retry_after": 0.5}, 0.5),
        ({"Retry-After": "soon"}, {}, None),
    ],
)
def test_a_receiver_asks_to_wait_in_several_ways(headers, body, seconds):
    if headers.get("Retry-After") == "in ten minutes":
        headers = {"Retry-After": formatdate(time.time() + 600, usegmt=True)}
    found = outcome_of([answer(429, json.dumps(body), **headers)], [], "json://x")
    assert found.reason is SendReason.RATE_LIMIT
    assert found.retry_after == (None if seconds is None else pytest.approx(seconds, abs=5))
