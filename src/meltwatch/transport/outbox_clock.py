"""What becomes of frames that were stamped before the server's clock had been heard.

An epoch keeps by which clock its frames are stamped until that clock is proven (`Basis`). The first
answer proves it: a clock that was right changes nothing; one that was wrong in the same life of the
machine was wrong by one figure, so that its frames, of which none was ever sent, are moved by that
figure and their epoch is named anew. What no figure is known for goes with the bit `clock` if it
can be true at all, and is set aside if it cannot (decision 0010).
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import msgspec

from meltwatch.model.ids import EpochId
from meltwatch.model.quality import Quality
from meltwatch.transport.epoch import is_ahead, new_epoch, random_half, started_ms
from meltwatch.transport.server_clock import STEP_MS


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """The clock that stamps: `offset_ms` is its wall time less its monotonic one.

    `boot`: the machine's life, within which the monotonic clock is one and the same.
    """

    offset_ms: int
    boot: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What the server's answer says: its time `now`, ms UTC, and the gateway's newest epoch there.

    `basis`: the clock that would have been right, in this life of the machine. `recorded`: rows
    are stamped by what is played, and no clock of ours is in them.
    """

    now: int
    newest: EpochId | None
    basis: Basis
    recorded: bool = False


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """An epoch that did not stay as it was, and how many frames of it are held.

    `epoch`: its name from now on. `moved_ms`: by how much its instants are moved. `unproven`: its
    rows get the bit `clock`. `aside`: it is kept and not sent.
    """

    former: EpochId
    epoch: EpochId
    frames: int
    moved_ms: int = 0
    unproven: bool = False
    aside: bool = False


class _Epoch(NamedTuple):
    epoch: EpochId
    filed: str
    held: int
    offset_ms: int | None
    boot: str | None


def settle(file: sqlite3.Connection, proof: Proof) -> tuple[Settled, ...]:
    """Take the proof of the clock: move, name anew, mark and set aside; return what changed.

    Only what the server cannot have is touched: epochs that were never sent, and such as it holds
    to be in the future, of which it has no frame.
    """
    (least,) = file.execute("SELECT proven_ms FROM outbox").fetchone()
    rows = file.execute(
        "SELECT epoch, filed, last - forgotten, offset_ms, boot FROM epochs WHERE NOT aside"
        " ORDER BY epoch"
    ).fetchall()
    told = []
    behind = proof.newest
    for one in (_Epoch(*row) for row in rows):
        settled = _settled(file, one, proof, behind, least)
        if settled != Settled(former=one.epoch, epoch=one.epoch, frames=one.held):
            told.append(settled)
        if not settled.aside:
            behind = max(behind or settled.epoch, settled.epoch)
        _keep(file, one, settled)
    _forget_aside(file)
    file.execute(
        "UPDATE outbox SET proven_ms = ?, newest = (SELECT max(epoch) FROM epochs WHERE NOT aside)",
        (proof.now,),
    )
    return tuple(told)


def _settled(
    file: sqlite3.Connection, one: _Epoch, proof: Proof, behind: EpochId | None, least: int | None
) -> Settled:
    told = Settled(former=one.epoch, epoch=one.epoch, frames=one.held)
    sent = one.offset_ms is None
    if not sent:
        told = _moved(file, one, told, proof, least)
    if told.aside:
        return told
    ahead = is_ahead(one.epoch, proof.newest, proof.now)
    passed = not sent and behind is not None and one.epoch <= behind
    if not (ahead or passed or told.moved_ms):
        return told
    start = started_ms(one.epoch) + told.moved_ms
    name = new_epoch(min(max(start, 0), proof.now), behind, random_half(one.epoch))
    return msgspec.structs.replace(told, epoch=name)


def _moved(
    file: sqlite3.Connection, one: _Epoch, told: Settled, proof: Proof, least: int | None
) -> Settled:
    """Return what becomes of the instants of an epoch whose clock was not proven."""
    if proof.recorded:
        return told
    if one.boot == proof.basis.boot:
        by_ms = proof.basis.offset_ms - (one.offset_ms or 0)
        return told if abs(by_ms) <= STEP_MS else msgspec.structs.replace(told, moved_ms=by_ms)
    first, last = _span(file, one.filed)
    if first is None or last is None:
        return told
    can_be = (least or 0) - STEP_MS <= first and last <= proof.now + STEP_MS
    return msgspec.structs.replace(told, unproven=can_be, aside=not can_be)


def _span(file: sqlite3.Connection, filed: str) -> tuple[int | None, int | None]:
    """Return the interval that an epoch's frames complete; None when it holds none."""
    spans = [
        file.execute(
            f"SELECT min(complete_from), max(complete_to) FROM {table} WHERE epoch = ?",  # noqa: S608  # two names of ours
            (filed,),
        ).fetchone()
        for table in ("frames", "dropped")
    ]
    firsts, lasts = ([one for one in ends if one is not None] for ends in zip(*spans, strict=True))
    return min(firsts, default=None), max(lasts, default=None)


def _keep(file: sqlite3.Connection, one: _Epoch, settled: Settled) -> None:
    """Write it down; the bodies are made anew when their turn to be sent comes."""
    bits = int(Quality.CLOCK) if settled.unproven else 0
    file.execute(
        "UPDATE epochs SET epoch = ?, offset_ms = NULL, boot = NULL, aside = ?,"
        " moved_ms = moved_ms + ?, bits = bits | ?, made = iif(epoch = ?, made, forgotten)"
        " WHERE epoch = ?",
        (settled.epoch, settled.aside, settled.moved_ms, bits, settled.epoch, one.epoch),
    )


def _forget_aside(file: sqlite3.Connection) -> None:
    """Forget epochs set aside of which the bound has left nothing."""
    gone = "SELECT filed FROM epochs WHERE aside AND filed NOT IN (SELECT epoch FROM frames)"
    file.execute(f"DELETE FROM dropped WHERE epoch IN ({gone})")  # noqa: S608  # a text of ours
    file.execute(f"DELETE FROM epochs WHERE filed IN ({gone})")  # noqa: S608  # a text of ours
