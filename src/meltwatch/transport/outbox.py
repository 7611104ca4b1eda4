"""The durable outbox of one gateway: what was put is sent, or told as lost; never silently gone.

Between `collect` and the link. A frame's body and signature are made once, when it is put, and are
on the disk before `put` returns; the same bytes go out until they are acknowledged. Numbers are
dense in an epoch. The file is `outbox_file.py`'s, and nobody else's while it is open.

What is bounded is dropped by name: **the oldest frames go first**. Their numbers stay, as frames
without rows, of which the first says `lost` for the whole interval: so the server's numbering has
no hole and the interval is complete and empty. A frame that may be on its way is never dropped,
since its number would come with other bytes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from meltwatch.errors import Bug
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import Interval, Mark
from meltwatch.model.reason import Params
from meltwatch.transport.columns import OverPoints
from meltwatch.transport.epoch import new_epoch
from meltwatch.transport.errors import TooLarge, problem
from meltwatch.transport.frame import Frame, decode, encode, moved
from meltwatch.transport.intake import DEFAULT_LIMITS
from meltwatch.transport.layouts import layout_of
from meltwatch.transport.outbox_clock import Basis, Proof, Settled, settle
from meltwatch.transport.outbox_drop import (
    Bound,
    Dropped,
    make_room,
    merged,
    take_number,
    text_of,
)
from meltwatch.transport.outbox_file import guarded, open_file, transaction
from meltwatch.transport.signature import PrivateKey, SharedSecret, sign

_STEP_MS = 60_000
"""The age of frames grows by so much between two puts at most: a wall clock that leaps by years
(no battery, then a time server) must not make everything too old at once."""
_BESIDE_BYTES = 256
"""What a frame costs beside its body: signature, columns, indices."""


class Signer(msgspec.Struct, frozen=True):
    """The key that a gateway signs with, and the id under which the server knows it."""

    key_id: str
    key: SharedSecret | PrivateKey


class Held(msgspec.Struct, frozen=True):
    """An epoch and its numbers that are not acknowledged; `last = first - 1` when all are."""

    epoch: EpochId
    first: int
    last: int


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A frame as it goes out, the same every time: its exact body, the signature and its key."""

    epoch: EpochId
    seq: int
    key_id: str
    signature: str
    body: bytes


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """Where a frame now stands, and what had to go for it."""

    epoch: EpochId
    seq: int
    dropped: tuple[Dropped, ...] = ()


class NoEpoch(Bug):
    """A frame was put before any epoch was opened."""


class NotJoined(Bug):
    """A frame does not begin where its epoch's former one ended: a gap needs a new epoch."""


class NotStored(Bug):
    """A number was asked for, or forgotten, that the outbox never gave."""


class Outbox:
    """One gateway's outbox. Calls may come from any thread, one at a time each."""

    def __init__(
        self, path: Path, gateway: SourceId, signer: Signer, bound: Bound | None = None
    ) -> None:
        """Open or create the file; raises `OutboxError` as `open_file` says."""
        self.path = path
        self.gateway = gateway
        self.bound = bound or Bound()
        self._signer = signer
        self._lock = threading.Lock()
        self._file = open_file(path, gateway)

    def open_epoch(
        self,
        now: int,
        random_bytes: bytes,
        behind: EpochId | None = None,
        basis: Basis | None = None,
    ) -> EpochId:
        """Open and return the epoch of the frames that follow, greater than all former ones.

        `now`: ms UTC. `random_bytes`: 8. `behind`: one that the server has from this gateway, of
        which this outbox need not know (it was lost). `basis`: the clock that stamps its frames
        while the server's has not been heard; the epoch waits for `settle` then. Raises BadEpoch,
        OutboxUnavailable.
        """
        with self._changing() as file:
            (newest,) = file.execute("SELECT newest FROM outbox").fetchone()
            former = max((one for one in (newest, behind) if one), default=None)
            epoch = new_epoch(now, former, random_bytes)
            file.execute("UPDATE outbox SET newest = ?", (epoch,))
            file.execute("DELETE FROM epochs WHERE last = forgotten")
            of = (None, None) if basis is None else (basis.offset_ms, basis.boot)
            file.execute(
                "INSERT INTO epochs (epoch, forgotten, last, tried, filed, offset_ms, boot)"
                " VALUES (?1, 0, 0, 0, ?1, ?2, ?3)",
                (epoch, *of),
            )
        return epoch

    def settle(self, proof: Proof) -> tuple[Settled, ...]:
        """Take the server's word on our clock (`outbox_clock.py`); return which epochs changed.

        Epochs of which the server may have a frame stay as they are. Raises OutboxUnavailable.
        """
        with self._changing() as file:
            return settle(file, proof)

    def set_aside(self, epoch: EpochId) -> int:
        """Keep an older epoch's frames and send them no more; return how many they are.

        For frames whose instants cannot be true. Raises OutboxUnavailable.
        """
        with self._changing() as file:
            row = file.execute(
                "UPDATE epochs SET aside = 1 WHERE epoch = ? AND NOT aside"
                " AND epoch <> (SELECT newest FROM outbox) RETURNING last - forgotten",
                (epoch,),
            ).fetchone()
        return 0 if row is None else int(row[0])

    @property
    def is_proven(self) -> bool:
        """Tell whether no epoch waits for the server's clock."""
        with self._lock, guarded(self.path):
            sql = "SELECT NOT EXISTS (SELECT 1 FROM epochs WHERE offset_ms IS NOT NULL)"
            return bool(self._file.execute(sql).fetchone()[0])

    def put(
        self,
        rows: list[Any] | OverPoints,
        complete_from: int,
        complete_to: int,
        *,
        now: int,
        mark: Mark = "real",
        layout: str | None = None,
        lost: Sequence[Interval] = (),
    ) -> Put:
        """Store the newest epoch's next frame; it is on the disk when this returns.

        `rows` as in a frame (`rows_of`), or as columns over a list of points, which is kept with
        them; instants in ms UTC, `now` the gateway's clock in ms. Its
        interval continues that of the epoch's former frame. Raises OutboxUnavailable when nothing
        was stored (put the same again), TooLarge, NoEpoch, NotJoined, Unencodable.
        """
        with self._changing() as file:
            (epoch,) = file.execute("SELECT newest FROM outbox").fetchone()
            if epoch is None:
                raise NoEpoch(self.gateway)
            last, reached, filed = file.execute(
                "SELECT last, complete_to, filed FROM epochs WHERE epoch = ?", (epoch,)
            ).fetchone()
            if complete_to < complete_from or reached not in {None, complete_from}:
                raise NotJoined(f"({complete_from}, {complete_to}] behind {reached}")
            columns = None
            if isinstance(rows, OverPoints):
                (points, columns), rows = rows, []
                layout = self._keep_layout(file, points) if len(columns) else None
            frame = Frame(
                v=1 if columns is None else 2,
                gateway=self.gateway,
                epoch=epoch,
                seq=last + 1,
                mark=mark,
                complete_from=complete_from,
                complete_to=complete_to,
                layout=layout,
                lost=merged(lost),
                rows=rows,
                columns=columns,
            )
            clock = self._age(file, now)
            self._store(file, frame, filed, clock)
            file.execute(
                "UPDATE epochs SET last = ?, complete_to = ? WHERE epoch = ?",
                (last + 1, complete_to, epoch),
            )
            dropped = make_room(file, self.bound, (filed, last + 1), clock)
        return Put(epoch=epoch, seq=last + 1, dropped=dropped)

    def unsent(self, epoch: EpochId, after: int) -> Sealed:
        """Return the frame behind `after`, to be sent: from now on it may be on its way.

        Raises NotStored for a number that was never given or is forgotten, OutboxUnavailable.
        """
        seq = after + 1
        with self._changing() as file:
            row = file.execute(
                "SELECT forgotten, last, tried, filed, moved_ms, bits, moved, made FROM epochs"
                " WHERE epoch = ? AND NOT aside",
                (epoch,),
            ).fetchone()
            if row is None or not row[0] < seq <= row[1]:
                raise NotStored(f"{epoch} {seq}")
            forgotten, _, tried, filed, *change = row
            # The first one held is never dropped, so that in the usual case nothing is written.
            if seq > max(forgotten + 1, tried):
                file.execute("UPDATE epochs SET tried = ? WHERE epoch = ?", (seq, epoch))
            sql = "SELECT key, signature, body FROM frames WHERE epoch = ? AND seq = ?"
            if file.execute(sql, (filed, seq)).fetchone() is None:
                self._stand_in(file, epoch, filed, seq)
            if epoch != filed or any(change[:2]):
                self._make_anew(file, epoch, filed, seq, change)
            row = file.execute(sql, (filed, seq)).fetchone()
        return Sealed(epoch=epoch, seq=seq, key_id=row[0], signature=row[1], body=row[2])

    def layout(self, layout: str) -> tuple[PointCode, ...] | None:
        """Return the list of points that frames name so; None if none was put with it."""
        with self._lock, guarded(self.path):
            row = self._file.execute(
                "SELECT points FROM layouts WHERE id = ?", (layout,)
            ).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=tuple[PointCode, ...])

    def forget(self, epoch: EpochId, through: int) -> None:
        """Drop the frames up to and with `through`: the server has acknowledged them.

        What is forgotten already is no error. Raises NotStored, OutboxUnavailable.
        """
        with self._changing() as file:
            found = file.execute(
                "SELECT forgotten, last, filed FROM epochs WHERE epoch = ?", (epoch,)
            ).fetchone()
            if found is None or through <= found[0]:
                return
            if through > found[1]:
                raise NotStored(f"{epoch} {through}: {found[1]} is the last")
            of = (found[2], through)
            file.execute(
                "UPDATE outbox SET bytes = bytes - (SELECT coalesce(sum(bytes), 0) FROM frames"
                " WHERE epoch = ? AND seq <= ?)",
                of,
            )
            file.execute("DELETE FROM frames WHERE epoch = ? AND seq <= ?", of)
            file.execute("DELETE FROM dropped WHERE epoch = ? AND last <= ?", of)
            file.execute("UPDATE dropped SET first = ?2 + 1 WHERE epoch = ?1 AND first <= ?2", of)
            file.execute("UPDATE epochs SET forgotten = ?2 WHERE filed = ?1", of)
            file.execute(
                "DELETE FROM epochs WHERE last = forgotten AND epoch <> (SELECT newest FROM outbox)"
            )

    def epochs(self) -> tuple[Held, ...]:
        """Return the epochs that are not wholly acknowledged and the newest one, newest first.

        Those that are set aside are not among them.
        """
        with self._lock, guarded(self.path):
            rows = self._file.execute(
                "SELECT epoch, forgotten + 1, last FROM epochs WHERE NOT aside ORDER BY epoch DESC"
            ).fetchall()
        return tuple(Held(EpochId(epoch), first, last) for epoch, first, last in rows)

    @property
    def held_bytes(self) -> int:
        """Return what the frames take, as `Bound.bytes` counts."""
        with self._lock, guarded(self.path):
            return int(self._file.execute("SELECT bytes FROM outbox").fetchone()[0])

    def close(self) -> None:
        """Fold the WAL in and let go of the file."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> Self:
        """Return the outbox."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, guarded(self.path), transaction(self._file):
            yield self._file

    def _age(self, file: sqlite3.Connection, now: int) -> int:
        """Let the outbox's own time go on; return it, ms."""
        clock, told = file.execute("SELECT clock_ms, told_ms FROM outbox").fetchone()
        clock += 0 if told is None else min(max(now - told, 0), _STEP_MS)
        file.execute("UPDATE outbox SET clock_ms = ?, told_ms = ?", (clock, now))
        return int(clock)

    def _keep_layout(self, file: sqlite3.Connection, points: Sequence[PointCode]) -> str:
        layout = layout_of(points)
        file.execute(
            "INSERT OR IGNORE INTO layouts VALUES (?, ?)",
            (layout, msgspec.json.encode(list(points)).decode()),
        )
        return layout

    def _store(self, file: sqlite3.Connection, frame: Frame, filed: str, clock: int) -> None:
        body = encode(frame)
        limits = DEFAULT_LIMITS
        if len(body) > limits.body_bytes:
            told: Params = {"bytes": len(body), "limit": limits.body_bytes}
            raise TooLarge(problem("", "frame.body_too_large", told))
        if frame.count > limits.rows:
            told = {"rows": frame.count, "limit": limits.rows}
            raise TooLarge(problem("rows", "frame.too_many_rows", told))
        cost = len(body) + _BESIDE_BYTES
        file.execute(
            "INSERT INTO frames (epoch, seq, mark, complete_from, complete_to, lost, stored_ms,"
            " bytes, key, signature, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(filed, frame.seq, frame.mark, frame.complete_from, frame.complete_to),
                *(text_of(frame.lost), clock, cost, self._signer.key_id),
                *(sign(self._signer.key, body), body),
            ),
        )
        file.execute("UPDATE outbox SET bytes = bytes + ?", (cost,))

    def _stand_in(self, file: sqlite3.Connection, epoch: EpochId, filed: str, seq: int) -> None:
        """Store the frame that takes a dropped one's number, before it is sent."""
        number = take_number(file, filed, seq)
        if number is None:
            raise NotStored(f"{epoch} {seq}")
        frame = Frame(
            gateway=self.gateway,
            epoch=epoch,
            seq=seq,
            mark=number.mark,
            complete_from=number.complete_from,
            complete_to=number.complete_to,
            lost=number.lost,
            rows=[],
        )
        (clock,) = file.execute("SELECT clock_ms FROM outbox").fetchone()
        self._store(file, frame, filed, clock)

    def _make_anew(
        self, file: sqlite3.Connection, epoch: EpochId, filed: str, seq: int, change: list[int]
    ) -> None:
        """Write a frame as the clock's proof wants it, before its first sending in this name."""
        by_ms, bits, moved_to, made_to = change
        if seq <= made_to:
            return
        of = (filed, seq)
        (body,) = file.execute("SELECT body FROM frames WHERE epoch = ? AND seq = ?", of).fetchone()
        if seq <= moved_to:
            by_ms = 0
        frame = moved(decode(body), epoch, by_ms, bits)
        body = encode(frame)
        file.execute(
            "UPDATE outbox SET bytes = bytes + ? -"
            " (SELECT bytes FROM frames WHERE epoch = ? AND seq = ?)",
            (len(body) + _BESIDE_BYTES, *of),
        )
        file.execute(
            "UPDATE frames SET complete_from = ?, complete_to = ?, lost = ?, bytes = ?, key = ?,"
            " signature = ?, body = ? WHERE epoch = ? AND seq = ?",
            (
                *(frame.complete_from, frame.complete_to, text_of(frame.lost)),
                *(len(body) + _BESIDE_BYTES, self._signer.key_id),
                *(sign(self._signer.key, body), body, *of),
            ),
        )
        file.execute(
            "UPDATE epochs SET made = ?1, moved = max(moved, ?1) WHERE filed = ?2", (seq, filed)
        )
