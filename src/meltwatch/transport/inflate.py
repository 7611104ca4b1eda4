"""Bodies that came compressed, made whole again within a bound.

The signature covers the body as its outbox fixed it, so compression is the line's matter and is
undone before anything is proven: whoever sends it is not known yet. So no more is ever made than
the limit, whatever a few bytes claim to become.
"""

from __future__ import annotations

import zlib

import pyarrow as pa  # type: ignore[import-untyped]  # ships without types

from meltwatch.model.reason import Params
from meltwatch.transport.errors import TooLarge, UnknownEncoding, Unreadable, problem, shown

ENCODINGS = ("gzip", "zstd")
GZIP_LEVEL = 1
_GZIP_BITS = 31
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BLOCK_HEADER = 3
_ID_BYTES = (0, 1, 2, 4)
_TWO_BYTES_FROM = 256
"""A size of two bytes begins to count here (RFC 8878)."""
_RLE, _RESERVED = 1, 3


def inflate(body: bytes, encoding: str | None, limit: int) -> bytes:
    """Return the body as it was before `Content-Encoding` (None, identity, gzip, zstd).

    `limit`: its most bytes. Raises TooLarge, Unreadable for what is cut short, damaged or followed
    by more, UnknownEncoding.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name == "gzip":
        return _gunzip(body, limit)
    if name == "zstd":
        return _unzstd(body, limit)
    told: Params = {"told": shown(name), "known": ", ".join(ENCODINGS)}
    raise UnknownEncoding(problem("Content-Encoding", "frame.encoding_unknown", told))


def deflate(body: bytes) -> bytes:
    """Return the body as gzip makes it smaller: what our own link sends."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS)
    return packer.compress(body) + packer.flush()


def _gunzip(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_BITS)
    try:
        made = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise _broken("gzip") from error
    if len(made) > limit:
        raise _too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise _broken("gzip")
    return made


def _unzstd(body: bytes, limit: int) -> bytes:
    """Return what one frame of Zstandard (RFC 8878) holds.

    Its header is read first: a decoder makes room for the whole window that it claims.
    """
    window = _window(body)
    if window > max(limit, 1 << 10):
        raise _too_large(limit)
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            made = bytes(stream.read(limit + 1))
    except (OSError, pa.ArrowException) as error:
        raise _broken("zstd") from error
    if len(made) > limit:
        raise _too_large(limit)
    return made


def _window(body: bytes) -> int:
    """Return how much room the one frame that a body must be wants, bytes; raises Unreadable."""
    try:
        if body[:4] != _ZSTD_MAGIC:
            raise _broken("zstd")
        descriptor = body[4]
        single = descriptor >> 5 & 1
        place = 5
        if not single:
            exponent, mantissa = body[place] >> 3, body[place] & 7
            window = (1 << (10 + exponent)) * (8 + mantissa) // 8
            place += 1
        place += _ID_BYTES[descriptor & 3]
        size_bytes = (single, 2, 4, 8)[descriptor >> 6]
        if single:
            told = int.from_bytes(body[place : place + size_bytes], "little")
            window = told + (_TWO_BYTES_FROM if size_bytes == _ID_BYTES[2] else 0)
        place = _end_of_blocks(body, place + size_bytes) + (4 if descriptor >> 2 & 1 else 0)
    except IndexError as error:
        raise _broken("zstd") from error
    if place != len(body):
        raise _broken("zstd")
    return window


def _end_of_blocks(body: bytes, place: int) -> int:
    while True:
        body[place + _BLOCK_HEADER - 1]  # it must be there
        header = int.from_bytes(body[place : place + _BLOCK_HEADER], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise _broken("zstd")
        place += _BLOCK_HEADER + (1 if kind == _RLE else size)
        if last:
            return place


def _too_large(limit: int) -> TooLarge:
    return TooLarge(problem("", "frame.inflated_too_large", {"limit": limit}))


def _broken(encoding: str) -> Unreadable:
    return Unreadable(problem("", "frame.encoding_broken", {"encoding": encoding}))
