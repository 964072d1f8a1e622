"""Prometheus' text format, and the choice between it and OpenMetrics."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.exposition import escape_label_name, escape_metric_name
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric
    from prometheus_client.samples import Sample

TEXT_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_TYPES = {
    "info": "gauge",
    "stateset": "gauge",
    "gaugehistogram": "histogram",
    "unknown": "untyped",
}
"""Types of OpenMetrics that the text format lacks, and their substitutes."""

_SUFFIXES = {"counter": "_total", "info": "_info"}
"""Suffixes that the name of a family has in the text format, but not in OpenMetrics."""

_escaped_name = lru_cache(maxsize=1024)(escape_metric_name)
_escaped_label = lru_cache(maxsize=1024)(escape_label_name)


_CHUNK_SAMPLES = 400


def text_format(metric: Metric) -> str:
    """Return the lines of one family in the text format 0.0.4."""
    return "".join(text_chunks(metric))


def text_chunks(metric: Metric) -> Iterator[str]:
    """Yield the lines of one family in the text format 0.0.4, in chunks.

    Each chunk takes at most some milliseconds. The bytes equal those of prometheus_client's
    `generate_latest`, which a property test checks. They are made about three times as fast
    (`make bench`), as a daemon renders on the thread that receives events.
    """
    name = metric.name
    lines = [
        _head(
            name + _SUFFIXES.get(metric.type, ""),
            _TYPES.get(metric.type, metric.type),
            metric.documentation,
        )
    ]
    # samples that belong to a family only in OpenMetrics follow it as gauges
    apart: dict[str, list[str]] = {}
    special = {name + suffix: suffix for suffix in ("_created", "_gsum", "_gcount")}
    for sample in metric.samples:
        if sample[0] in special:
            apart.setdefault(special[sample[0]], []).append(_line(sample))
        else:
            lines.append(_line(sample))
            if len(lines) == _CHUNK_SAMPLES:
                yield "".join(lines)
                lines.clear()
    for suffix, more in sorted(apart.items()):
        lines += [_head(name + suffix, "gauge", metric.documentation), *more]
    yield "".join(lines)


def _head(name: str, kind: str, documentation: str) -> str:
    name = _escaped_name(name)
    text = documentation.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _line(sample: Sample) -> str:
    name, labels, value, timestamp, _, _ = sample
    pairs = ",".join(map(_pair, sorted(labels.items())))
    block = f"{{{pairs}}}" if pairs else ""
    when = "" if timestamp is None else f" {int(float(timestamp) * 1000):d}"
    return f"{_escaped_name(name)}{block} {floatToGoString(value)}{when}\n"


@lru_cache(maxsize=32_768)  # the same labels recur in many series, and in every scrape
def _pair(pair: tuple[str, str]) -> str:
    return label_pair(*pair)


def label_pair(name: str, value: str) -> str:
    """Return a label in the text format, such as `model="m"`."""
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{_escaped_label(name)}="{escaped}"'


def accepts_only_openmetrics(accept: str) -> bool:
    """Return whether an Accept header lists OpenMetrics and nothing else.

    Prometheus accepts both formats, and gets the text format.
    """
    kinds = [part.split(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    return bool(kinds) and set(kinds) == {"application/openmetrics-text"}
