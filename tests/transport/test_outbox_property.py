"""Whatever is put, sent, acknowledged, dropped and reopened: numbers are dense, nothing is lost.

A server that takes frames in order stands at the other end; its acknowledgements may be lost. In
the end each row was taken exactly once, or lies in an interval that was told as lost; and the same
number always came with the same bytes.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from meltwatch.model.ids import EpochId
from meltwatch.transport.frame import decode
from meltwatch.transport.outbox import Outbox, Signer
from meltwatch.transport.outbox_drop import Bound, merged
from tests.transport.given import GATEWAY, NOW, SECRET

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 8)),
        st.tuples(st.just("put"), st.integers(0, 8)),
        st.tuples(st.just("take"), st.integers(0, 5)),
        st.tuples(st.just("acknowledge"), st.integers(0, 5)),
        st.tuples(st.just("reopen"), st.just(0)),
        st.tuples(st.just("epoch"), st.integers(-5_000, 5_000)),
    ),
    min_size=15,
    max_size=50,
)


@cache
def blank() -> bytes:
    """Return an outbox in which nothing is: making one takes the disk's time."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "outbox.sqlite"
        Outbox(path, GATEWAY, Signer("gw-1.a", SECRET)).close()
        return path.read_bytes()


class Run:
    """An outbox, and what the server has of it."""

    def __init__(self, path: Path, bound: Bound) -> None:
        path.write_bytes(blank())
        self.path, self.bound = path, bound
        self.outbox = self._open()
        self.instant = NOW
        self.put_rows: set[int] = set()
        self.opened: list[EpochId] = []
        self.bodies: dict[tuple[EpochId, int], bytes] = {}
        self.has: dict[EpochId, int] = {}
        self.epoch(0)

    def _open(self) -> Outbox:
        opened = Outbox(self.path, GATEWAY, Signer("gw-1.a", SECRET), self.bound)
        opened._file.execute("PRAGMA synchronous = OFF")  # no machine is stopped here
        return opened

    def put(self, rows: int) -> None:
        start, self.instant = self.instant, self.instant + 1000
        told = [["well-1/phase", start + n + 1, n] for n in range(rows)]
        self.put_rows.update(row[1] for row in told if isinstance(row[1], int))
        self.outbox.put(told, start, self.instant, now=self.instant)

    def take(self, which: int) -> None:
        """Let the server take the next frame of an epoch; it may have been sent before."""
        held = [one for one in self.outbox.epochs() if one.first <= one.last]
        if not held:
            return
        one = held[which % len(held)]
        last = self.has.get(one.epoch, 0)
        if last < one.last:
            self.look(one.epoch, last)
            self.has[one.epoch] = last + 1

    def look(self, epoch: EpochId, after: int) -> None:
        sealed = self.outbox.unsent(epoch, after)
        assert sealed.seq == after + 1
        assert self.bodies.setdefault((epoch, sealed.seq), sealed.body) == sealed.body

    def acknowledge(self, which: int) -> None:
        held = self.outbox.epochs()
        one = held[which % len(held)]
        self.outbox.forget(one.epoch, self.has.get(one.epoch, 0))

    def reopen(self, _: int) -> None:
        self.outbox.close()
        self.outbox = self._open()
        for one in self.outbox.epochs():
            if one.first <= self.has.get(one.epoch, 0):
                self.look(one.epoch, one.first - 1)

    def epoch(self, off_ms: int) -> None:
        self.opened.append(self.outbox.open_epoch(self.instant + off_ms, bytes(8)))

    def drain(self) -> None:
        while any(one.first <= one.last for one in self.outbox.epochs()):
            for which in range(len(self.outbox.epochs())):
                self.take(which)
                self.acknowledge(which)


@settings(max_examples=50)
@given(steps=steps, size=st.sampled_from([1, 1500, 4000, 10**9]))
def test_nothing_is_lost_but_what_is_told(steps: list[tuple[str, int]], size: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        run = Run(Path(directory) / "outbox.sqlite", Bound(bytes=size))
        for name, told in steps:
            getattr(run, name)(told)
        run.drain()
        assert run.outbox.held_bytes == 0
        run.outbox.close()
    assert run.opened == sorted(set(run.opened))
    frames = [decode(body) for _, body in sorted(run.bodies.items())]
    for epoch in run.opened:
        seqs = [one.seq for one in frames if one.epoch == epoch]
        assert seqs == list(range(1, len(seqs) + 1))
    taken = [row[1] for one in frames for row in one.rows]
    assert len(taken) == len(set(taken))
    lost = merged(interval for one in frames for interval in one.lost)
    missing = run.put_rows - set(taken)
    assert all(any(start < at <= end for start, end in lost) for at in missing)
    assert not any(start < at <= end for at in taken for start, end in lost), (
        "told as lost, and had"
    )
    if size == 10**9:
        assert (lost, missing) == ((), set())
    complete = merged((one.complete_from, one.complete_to) for one in frames)
    assert complete == (((NOW, run.instant),) if run.instant > NOW else ())
