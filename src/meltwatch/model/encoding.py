"""The one encoding of what is stored: a version byte, then MessagePack of the struct.

Field order is the order of the structs, so equal things give equal bytes and hashes can be taken
over them. Readers of every version that was ever written stay (golden files in the tests).
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from meltwatch.errors import MeltwatchError
from meltwatch.model.log import Record

VERSION = 1
T = TypeVar("T")


class UnknownEncoding(MeltwatchError):
    """Stored bytes are of another version or damaged: tell the operator, touch nothing."""


_encoder = msgspec.msgpack.Encoder()
_records: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def encode(thing: Any) -> bytes:
    """Return the stored form of a record, a state or an effect."""
    return bytes((VERSION,)) + _encoder.encode(thing)


def record_of(stored: bytes) -> Record:
    """Return the log record that was stored.

    Raises UnknownEncoding.
    """
    return _opened(stored, _records)


def decode(stored: bytes, shape: Any) -> Any:
    """Return what was stored, a struct of a given shape or one of a union of them.

    Raises UnknownEncoding.
    """
    return _opened(stored, msgspec.msgpack.Decoder(shape))


def _opened(stored: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T:
    if stored[:1] != bytes((VERSION,)):
        raise UnknownEncoding(f"version {stored[:1].hex() or 'none'}, this program reads {VERSION}")
    try:
        return decoder.decode(memoryview(stored)[1:])
    except msgspec.DecodeError as error:
        raise UnknownEncoding(str(error)) from error
