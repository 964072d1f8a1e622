"""Samples of many times into an engine, by Prometheus' remote write."""

from __future__ import annotations

import struct
import urllib.request
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Labels = dict[str, str]


class RemoteWriter:
    """Keeps samples until they are sent.

    Args:
        url: of the engine.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._labels: dict[tuple[str, ...], bytes] = {}
        self._samples: dict[bytes, list[bytes]] = {}

    def add_page(self, page: str, at: float, target: Mapping[str, str]) -> None:
        """Add what a scrape of a target found."""
        job, instance = target["job"], target["instance"]
        for line in page.splitlines():
            if line[0] != "#":
                series, _, value = line.rpartition(" ")
                key = (series, job, instance)
                labels = self._labels.get(key)
                if labels is None:
                    labels = self._labels[key] = _encode_labels(_labels_of(line) | target)
                self._add(labels, float(value), at)
        self.add({"__name__": "up", **target}, [(at, 1.0)])

    def add(self, labels: Labels, samples: Iterable[tuple[float, float]]) -> None:
        """Add samples, times and values, of one series."""
        encoded = _encode_labels(labels)
        for at, value in samples:
            self._add(encoded, value, at)

    def send(self) -> None:
        """Send what was added."""
        series = b"".join(
            _field(1, labels + b"".join(samples)) for labels, samples in self._samples.items()
        )
        self._samples = {}
        if series:
            headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
            request = urllib.request.Request(
                f"{self._url}/api/v1/write", _snappy(series), headers, method="POST"
            )
            with urllib.request.urlopen(request, timeout=60):
                pass

    def _add(self, labels: bytes, value: float, at: float) -> None:
        sample = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(at * 1000))
        self._samples.setdefault(labels, []).append(_field(2, sample))


def _labels_of(line: str) -> Labels:
    ((sample,),) = (family.samples for family in text_string_to_metric_families(line))
    return {"__name__": sample.name, **sample.labels}


def _encode_labels(labels: Labels) -> bytes:
    return b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
        if value
    )


def _field(number: int, body: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(body)) + body


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def _snappy(raw: bytes) -> bytes:
    """The format without compression: the length, and one literal."""
    return _varint(len(raw)) + b"\xfc" + struct.pack("<I", len(raw) - 1) + raw
