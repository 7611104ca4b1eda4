"""Compressed bodies come back whole, or are refused before memory grows."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from contextlib import suppress

import pyarrow as pa  # type: ignore[import-untyped]  # ships without types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.transport.errors import FrameRefused, TooLarge, UnknownEncoding, Unreadable
from meltwatch.transport.inflate import deflate, inflate

LIMIT = 100_000


def zstd(body: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(body, asbytes=True))


def streamed(body: bytes) -> bytes:
    """Return a frame of Zstandard that does not tell its size, as a streaming encoder makes it."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(body)
    return bytes(sink.getvalue())


WAYS = {"gzip": deflate, "zstd": zstd}


@given(st.binary(max_size=5_000) | st.integers(0, LIMIT).map(bytes), st.sampled_from(list(WAYS)))
def test_what_was_compressed_is_as_it_was(body: bytes, way: str) -> None:
    assert inflate(WAYS[way](body), way.upper(), LIMIT) == body


def test_a_body_that_is_not_compressed_is_itself() -> None:
    for encoding in (None, "identity", " Identity "):
        assert inflate(b"as it came", encoding, 3) == b"as it came"


def test_zstd_that_does_not_tell_its_size() -> None:
    window = 1 << 22
    assert inflate(streamed(b"told " * 1_000), "zstd", window) == b"told " * 1_000


@pytest.mark.parametrize("way", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [LIMIT + 1, 300_000_000])
def test_a_bomb_is_refused_before_memory_grows(way: str, size: int) -> None:
    bomb = WAYS[way](bytes(size))
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge) as refused:
            inflate(bomb, way, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.key == "frame.inflated_too_large"
    assert peak < 4 * LIMIT + 2 * len(bomb)
    assert pa.total_allocated_bytes() - before < 4 * LIMIT


def test_a_zstd_window_larger_than_the_limit_is_refused_by_its_header() -> None:
    """The few bytes of it would make a decoder take 128 MiB at once."""
    header = bytes.fromhex("28b52ffd") + bytes([0, (27 - 10) << 3])
    with pytest.raises(TooLarge):
        inflate(header + bytes([1, 0, 0]), "zstd", LIMIT)


@pytest.mark.parametrize("way", ["gzip", "zstd"])
def test_what_is_cut_damaged_or_followed_by_more_is_refused(way: str) -> None:
    whole = WAYS[way](b"row after row " * 200)
    for broken in (b"", whole[:-1], whole[: len(whole) // 2], whole + b"x", whole + whole, b"{}"):
        with pytest.raises(Unreadable) as refused:
            inflate(broken, way, LIMIT)
        assert refused.value.key == "frame.encoding_broken"


@given(st.binary(max_size=300), st.sampled_from(list(WAYS)), st.booleans())
def test_any_bytes_are_a_body_or_refused(told: bytes, way: str, headed: bool) -> None:
    head = {"gzip": b"\x1f\x8b\x08", "zstd": b"\x28\xb5\x2f\xfd"}[way] if headed else b""
    with suppress(FrameRefused):
        assert len(inflate(head + told, way, LIMIT)) <= LIMIT


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate", "x" * 500])
def test_an_encoding_that_is_not_known(encoding: str) -> None:
    with pytest.raises(UnknownEncoding) as refused:
        inflate(b"", encoding, LIMIT)
    assert len(str(refused.value.problems[0].params["told"])) <= 64


def test_strangers_gzip_is_read() -> None:
    assert inflate(gzip.compress(b"a", 9), "gzip", LIMIT) == b"a"
    assert zlib.decompress(deflate(b"a"), 31) == b"a"
