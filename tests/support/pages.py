"""Pages as HTTP and an HTML parser show them, and events whose names are hostile."""

from __future__ import annotations

import http.client
import json
import random
import re
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.sidecar import Daemon

FORM = "application/x-www-form-urlencoded"
MESH = "127.0.0.6"
"""Address from which the proxy of a mesh connects; it needs a key."""

NAMES = (
    "<script>alert(1)</script>",
    "\" onmouseover='alert(1)' x=\"",
    "مرحبا بالعالم",
    "字" * 128,
    "W" * 128,
    "javascript:alert(1)",
    "a/b?c#d",
    "%2F",
    "..",
    ".",
    "~..",
    "../..",
    "\N{GRINNING FACE}" * 10,
    "{{7*7}}{project}",
    "&lt;b&gt; a&b=c+d;",
)
_VOID = {"meta", "link", "input", "br", "path", "rect"}
_ROWS = 150


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def html(self) -> Parsed:
        return Parsed.of(self.text)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookie(self) -> str:
        """What a browser would send back."""
        return self.headers["Set-Cookie"].partition(";")[0]


def fetch(
    daemon: Daemon,
    path: str = "/",
    method: str = "GET",
    body: str | bytes | None = None,
    source: str = "127.0.0.1",
    **headers: str,
) -> Answer:
    """Ask; headers with `_` for `-`. The path is sent as it is."""
    port = int(daemon.config["listen"].rpartition(":")[2])
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=20, source_address=(source, 0)
    )
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if method == "POST":
        sent.setdefault("Content-Type", FORM)
    try:
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


@dataclass
class Parsed(HTMLParser):
    """A page, whose tags must be nested as they should.

    Attributes:
        tags: each element with its attributes.
        texts: each text between tags.
        title: its title.
        rows: texts of the cells of each row of each table.
    """

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    title: str = ""
    rows: list[list[str]] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, page: str) -> Parsed:
        found = cls()
        HTMLParser.__init__(found, convert_charrefs=True)
        found.feed(page)
        found.close()
        assert not found._open, f"not closed: {found._open}"
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), (tag, names)
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open, tag
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._open == ["html", "head", "title"]:
            self.title += data
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += f"{data.strip()} "

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def attributes(self, tag: str, name: str) -> list[str]:
        """Values of an attribute of all elements of a kind, in order."""
        return [found[name] or "" for each, found in self.tags if each == tag and name in found]

    @property
    def addresses(self) -> list[str]:
        """Everything that a browser may load or follow."""
        return [
            value
            for _, found in self.tags
            for name, value in found.items()
            if name in ("href", "src", "action", "formaction", "data", "poster", "srcset")
            and value is not None
        ]


def figure(text: str) -> float | None:
    """The first number of a text in its base unit; None where it says that none is known."""
    found = re.search(r"(\N{MINUS SIGN}?)\$?([\d,.]+)[\s\N{NO-BREAK SPACE}]?([a-zµ%]*)", text)
    if found is None:
        return None
    units = {"k": 1e3, "M": 1e6, "%": 0.01, "ms": 1e-3, "µs": 1e-6, "min": 60.0}
    value = float(found[2].replace(",", "")) * units.get(found[3], 1)
    return -value if found[1] else value


def batch(name: str, features: dict[str, list[Any]], rows: int = _ROWS) -> dict[str, Any]:
    """Events of a model whose project, endpoint and classes have its name."""
    rng = random.Random(name)
    now = time.time()
    return {
        "project_id": name,
        "model_id": name,
        "endpoint": name,
        "columns": {
            "timestamp": [now - 3000 * rng.random() for _ in range(rows)],
            "latency_ms": [100 * rng.random() for _ in range(rows)],
            "y_pred": [rng.choice("xyz") + name[:100] for _ in range(rows)],
            "y_proba": [rng.random() for _ in range(rows)],
            "features": features,
        },
    }


def send(daemon: Daemon, *bodies: dict[str, Any]) -> None:
    """Send events, and wait until they are stored."""
    for body in bodies:
        answer = fetch(
            daemon, "/api/v1/events", "POST", json.dumps(body), Content_Type="application/json"
        )
        assert answer.status == 200, answer.text
        assert answer.json["rejected_count"] == 0, answer.text


def hostile_batches() -> list[dict[str, Any]]:
    """A model of each name; the first one has a feature of each name, and of odd values."""
    rng = random.Random(1)
    found = []
    for name in NAMES:
        features = {name: [rng.choice("ab") + name[:100] for _ in range(_ROWS)]}
        if name == NAMES[0]:
            features |= {each: [rng.gauss(0, 1) for _ in range(_ROWS)] for each in NAMES}
            features["enormous"] = [rng.choice((-1.7e308, 1.7e308)) for _ in range(_ROWS)]
            features["constant"] = [1e17] * _ROWS
            features["tiny"] = [rng.choice((5e-324, 1e-323)) for _ in range(_ROWS)]
            features["nothing"] = [None] * _ROWS
        found.append(batch(name, features))
    return found
