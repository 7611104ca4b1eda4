"""Prometheus remote write, version 1: protobuf in a snappy frame that does not compress.

Made beforehand like our own frames: the labels of a request never change, so that only values and
instants are put into its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meltwatch.apps.bench.load import Ready
from meltwatch.apps.bench.plant import Works

METRIC = "v"
INSTANT_BYTES = 6
"""An instant of these decades, ms, takes so many bytes as a varint."""
SAMPLE_BYTES = 2 + 9 + 1 + INSTANT_BYTES


class PeerLane:
    """One gateway's requests; `begin`: the instant (ms UTC) at which its first one begins."""

    def __init__(self, works: Works, gateway: int, begin: int, path: str, host: str) -> None:
        """Lay the bytes of a request out."""
        self.works, self.gateway, self.begin = works, gateway, begin
        self.made = self.acknowledged = 0
        self._body, self._places = _laid_out(works.codes(gateway))
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-protobuf\r\n"
        head += "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n"
        self._head = f"{head}Content-Length: {len(self._body)}\r\n\r\n".encode()

    def complete_to(self, frames: int) -> int:
        """Return where so many requests lead to, ms UTC."""
        return self.begin + frames * self.works.frame_ms

    def make(self) -> Ready:
        """Make the next request: one sample of every point."""
        tenths, at = self.works.tenths(self.gateway, self.made), self.complete_to(self.made + 1)
        values = np.frombuffer((tenths / 10).astype("<f8").tobytes(), np.uint8).reshape(-1, 8)
        self._body[self._places[:, None] + np.arange(3, 11)] = values
        instant = np.frombuffer(varint(at), np.uint8)
        self._body[self._places[:, None] + np.arange(12, 12 + INSTANT_BYTES)] = instant
        self.made += 1
        return Ready(self._head + self._body.tobytes(), len(tenths), at)


def varint(number: int) -> bytes:
    """Return a number as protobuf and snappy write it."""
    told = bytearray()
    while number > 0x7F:
        told.append(number & 0x7F | 0x80)
        number >>= 7
    told.append(number)
    return bytes(told)


def _laid_out(codes: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return a request with empty samples, and where the tag of each sample stands."""
    body, places = bytearray(), []
    for code in codes:
        labels = b"".join(
            _field(1, _field(1, name.encode()) + _field(2, value.encode()))
            for name, value in (("__name__", METRIC), ("point", code))
        )
        sample = b"\x09" + bytes(8) + b"\x10" + bytes(INSTANT_BYTES)
        series = labels + _field(2, sample)
        whole = _field(1, series)
        places.append(len(body) + len(whole) - len(sample) - 2)
        body += whole
    head = varint(len(body)) + b"\xfc" + struct.pack("<I", len(body) - 1)
    at = np.asarray(places, np.int64) + len(head)
    return np.frombuffer(head + bytes(body), np.uint8).copy(), at


def _field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content
