"""The local socket between core and web: where it is, and what goes over it.

    GET  /told      a stream: 4 bytes of length (big endian), then MessagePack of a Picture or a
                    Delta; length 0 is a heartbeat
    POST /orders    MessagePack of an Order: 200 Obeyed, 409 OutOfTurn, 422 a Problem: never,
                    503: unknown, the same again
    POST /requeue   MessagePack of a Requeue: 200 Requeued, 422 a Problem, 503: unknown
    GET  /findings  MessagePack of what is wrong with the node itself

Both sides are of one version: it is no interface for others.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from meltwatch.present.live.core_line import CoreAway
from meltwatch.present.live.picture import Told

BEAT_S = 1.0
"""How often at least the core sends something."""
SILENT_S = 5.0
"""After so long without anything the core is away: dead, hung or cut off."""
SOCKET = "core.sock"
LONGEST_PATH = 100
"""A longer path than 107 bytes is no unix socket's; some room is left for odd systems."""
LENGTH_BYTES = 4
MOST_BYTES = 64 * 1024 * 1024
BEAT = bytes(LENGTH_BYTES)
PRIVATE = 0o700

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Told] = msgspec.msgpack.Decoder(Told)


def socket_of(data: Path) -> Path:
    """Return where the core of a data directory listens.

    In it, or if that is too long to name, in a directory of this user among the temporary ones.
    """
    path = data.resolve() / SOCKET
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"meltwatch-{os.geteuid()}-{name}" / SOCKET


def is_private(directory: Path) -> bool:
    """Tell whether a directory is this user's and nobody else may enter it."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    shared = stat.S_IMODE(found.st_mode) & ~PRIVATE
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not shared


def framed(told: Told) -> bytes:
    """Return a picture or a delta as it goes over the socket."""
    body = _encoder.encode(told)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Unframing:
    """Cuts a stream of bytes into what was told; heartbeats leave nothing."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._read = bytearray()

    def feed(self, data: bytes) -> Iterator[Told]:
        """Yield what is whole by now; raises CoreAway for what this version cannot read."""
        self._read += data
        while len(self._read) >= LENGTH_BYTES:
            length = int.from_bytes(self._read[:LENGTH_BYTES], "big")
            if length > MOST_BYTES:
                raise CoreAway(f"{length} bytes at once: this is no core of this version")
            end = LENGTH_BYTES + length
            if len(self._read) < end:
                return
            body = bytes(self._read[LENGTH_BYTES:end])
            del self._read[:end]
            if body:
                try:
                    yield _decoder.decode(body)
                except msgspec.DecodeError as error:
                    raise CoreAway(f"the core is of another version: {error}") from error
