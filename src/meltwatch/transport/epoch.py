"""Epochs: a gateway's unbroken numberings of frames, named so that they sort by their start.

An id is 12 hexadecimal digits of the start in ms UTC (enough until the year 10889), "-", and 16
random ones. Ids of one gateway ascend even if its clock goes back.
"""

from __future__ import annotations

import re

from meltwatch.errors import Bug
from meltwatch.model.ids import EpochId

PATTERN = r"^[0-9a-f]{12}-[0-9a-f]{16}\Z"
RANDOM_BYTES = 8
EPOCH_AHEAD_MS = 60_000
"""How far an epoch may start ahead of the server's clock or, if that is later, of the newest epoch
that the server has of its gateway: one that lay far ahead would make all later ones back-fill."""
NO_EPOCH = EpochId("000000000000-0000000000000000")
"""Before every epoch: asking for it tells the newest one and the time, and says no hello."""
_LAST_MS = 2**48 - 1


class BadEpoch(Bug):
    """No epoch can be made: the clock is out of range, the random bytes or the former id wrong."""


def new_epoch(now_ms: int, previous: EpochId | None, random_bytes: bytes) -> EpochId:
    """Return an epoch that starts now and is greater than the gateway's previous one.

    `now_ms`: ms UTC by the gateway's clock; when that is not behind the previous start, the new
    one starts 1 ms behind it. `random_bytes`: 8 of them, so that two outboxes of one gateway that
    start in the same millisecond do not share an epoch. Raises BadEpoch.
    """
    if len(random_bytes) != RANDOM_BYTES:
        raise BadEpoch(f"{len(random_bytes)} random bytes, {RANDOM_BYTES} are wanted")
    start_ms = now_ms if previous is None else max(now_ms, started_ms(previous) + 1)
    if not 0 <= start_ms <= _LAST_MS:
        raise BadEpoch(f"start {start_ms} ms")
    return EpochId(f"{start_ms:012x}-{random_bytes.hex()}")


def random_half(epoch: EpochId) -> bytes:
    """Return the random bytes of an id. Raises BadEpoch."""
    started_ms(epoch)
    return bytes.fromhex(epoch[13:])


def is_ahead(epoch: EpochId, newest: EpochId | None, now: int) -> bool:
    """Tell whether an epoch starts farther ahead than `EPOCH_AHEAD_MS` lets it. Raises BadEpoch."""
    newest_ms = 0 if newest is None else started_ms(newest)
    return started_ms(epoch) > max(now, newest_ms) + EPOCH_AHEAD_MS


def started_ms(epoch: EpochId) -> int:
    """Return the start that the id tells, ms UTC by the gateway's clock. Raises BadEpoch."""
    if not re.match(PATTERN, epoch):
        raise BadEpoch(repr(epoch))
    return int(epoch[:12], 16)
