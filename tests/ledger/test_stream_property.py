"""Whatever is sent in whatever order, and wherever the process stops: each accepted entry once.

A plain model says what should be there; homes are closed and opened at random moments, and the
embedded one sometimes comes back with the index it had long before.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meltwatch.ledger.check import check
from meltwatch.ledger.port import Appended, Conflict, Entry, Gap, Known, Outcome
from tests.ledger.telling import Place, digest_of, embedded_place, entry, everything, memory_place

SOURCES = ("g/1", "g/2", "core")
PARTITIONS = ("a", "b")


class Model:
    """The obvious ledger: a list."""

    def __init__(self) -> None:
        self.log: list[tuple[int, str, Entry]] = []

    def last(self, source: str) -> int:
        return sum(1 for _, _, told in self.log if told.source == source)

    def append(self, partition: str, entries: list[Entry]) -> list[Outcome]:
        gaps = {source: self.last(source) + 1 for source in SOURCES if self._gap(source, entries)}
        return [self._one(partition, told, gaps.get(told.source)) for told in entries]

    def _gap(self, source: str, entries: list[Entry]) -> bool:
        last = self.last(source)
        for told in entries:
            if told.source == source:
                if told.seq > last + 1:
                    return True
                last = max(last, told.seq)
        return False

    def _one(self, partition: str, told: Entry, gap: int | None) -> Outcome:
        for pos, _, held in self.log:
            if (held.source, held.seq) == (told.source, told.seq):
                return Known(pos) if held.digest == told.digest else Conflict(pos, held.digest)
        if gap is not None:
            return Gap(gap)
        self.log.append((len(self.log) + 1, partition, told))
        return Appended(len(self.log))


# A number relative to what the source has: mostly the next one, or a repeat, or a gap.
sent = st.tuples(st.sampled_from(SOURCES), st.sampled_from([1, 1, 1, 0, -1, -3, 2]), st.booleans())
appended = st.tuples(st.sampled_from(PARTITIONS), st.lists(sent, max_size=6))
steps = st.lists(
    st.one_of(appended, appended, appended, st.sampled_from(["reopen", "old index"])),
    min_size=5,
    max_size=20,
)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A directory for all examples."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.mark.parametrize("kind", ["memory", "embedded"])
@settings(max_examples=40, deadline=None)
@given(steps=steps)
def test_each_accepted_entry_is_read_once_in_order(
    kind: str, scratch: Path, steps: list[tuple[str, list[tuple[str, int, bool]]] | str]
) -> None:
    path = Path(tempfile.mkdtemp(dir=scratch)) / "ledger"
    place = memory_place() if kind == "memory" else embedded_place(path)
    model = Model()
    for second, step in enumerate(steps):
        if isinstance(step, str):
            _stop_and_start(place, path, with_old_index=step == "old index")
            continue
        partition, called = step
        call = _call(model, called, at=second * 300)
        assert place.home.stream.append(partition, call) == model.append(partition, call)
    _compare(place, model)
    place.reopen()
    _compare(place, model)
    place.home.close()
    if kind == "embedded":
        assert check(path, digest_of) == []
    shutil.rmtree(path, ignore_errors=True)


def _call(model: Model, called: list[tuple[str, int, bool]], at: int) -> list[Entry]:
    """Turn relative numbers into entries; a run of +1 in one call counts on."""
    tip = {source: model.last(source) for source in SOURCES}
    entries = []
    for source, step, honest in called:
        seq = max(tip[source] + step, 1)
        tip[source] = max(tip[source], seq) if step == 1 else tip[source]
        repeated = step < 1
        entries.append(entry(source, seq, None if honest or not repeated else b"other", at))
    return entries


def _stop_and_start(place: Place, path: Path, *, with_old_index: bool) -> None:
    """Reopen; the index keeps a copy of itself, and may come back as that copy."""
    place.home.close()
    kept, index = path / "kept.sqlite", path / "index.sqlite"
    if with_old_index and kept.exists():
        shutil.copy(kept, index)
    elif index.exists():
        shutil.copy(index, kept)
    place.reopen()


def _compare(place: Place, model: Model) -> None:
    stream = place.home.stream
    for partition in PARTITIONS:
        expected = [(pos, told) for pos, name, told in model.log if name == partition]
        stored = everything(stream, partition)
        assert [(told.pos, told.source, told.seq, told.data) for told in stored] == [
            (pos, told.source, told.seq, told.data) for pos, told in expected
        ]
        assert stream.end(partition) == (expected[-1][0] if expected else 0)
    for source in SOURCES:
        seqs = [told.seq for _, _, told in model.log if told.source == source]
        assert seqs == list(range(1, stream.last_seq(source) + 1))
