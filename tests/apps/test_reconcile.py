"""Two ends of a source are compared by counts and hashes, and what differs is named exactly."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.apps.cli import main
from meltwatch.apps.reconcile import compared, end_of
from meltwatch.apps.seal import LEDGER
from meltwatch.errors import Refused
from meltwatch.ledger.memory import MemoryHome
from meltwatch.ledger.port import Entry
from meltwatch.ledger.span import Difference, Span, differences, span_of
from meltwatch.transport.outbox import Outbox
from meltwatch.transport.signature import digest
from tests.ledger.telling import PLANT, embedded, entry, run
from tests.transport.given import GATEWAY, NOW
from tests.transport.test_outbox import RANDOM, outbox_at, put

SOURCE = "g/1"
Held = dict[int, bytes]


class Scripted:
    """An end that holds what it is told, and counts what it is asked."""

    def __init__(self, held: Held, held_from: int = 1) -> None:
        self.held, self.held_from, self.asked = held, held_from, 0

    def span(self, source: str, first: int, last: int) -> Span:
        self.asked += 1
        mine = sorted((seq, one) for seq, one in self.held.items() if first <= seq <= last)
        return span_of(source, (first, last), mine, self.held_from, max(self.held, default=0))


@given(
    st.dictionaries(st.integers(1, 40), st.sampled_from([b"a", b"b"]), max_size=40),
    st.dictionaries(st.integers(1, 40), st.sampled_from([b"a", b"b"]), max_size=40),
)
def test_every_difference_is_named_and_nothing_else(one: Held, other: Held) -> None:
    found = differences(Scripted(one).span, Scripted(other).span, SOURCE)
    named = {seq: told.kind for told in found for seq in range(told.first, told.last + 1)}
    shared = min(max(one, default=0), max(other, default=0))
    for seq in range(1, shared + 1):
        mine, theirs = one.get(seq), other.get(seq)
        expected = (
            None
            if mine == theirs
            else "here_only"
            if theirs is None
            else "there_only"
            if mine is None
            else "unlike"
        )
        assert named.get(seq) == expected
    assert all(a.last < b.first for a, b in pairwise(found))


def test_a_million_numbers_are_compared_by_a_few_questions() -> None:
    whole = dict.fromkeys(range(1, 200_001), b"x")
    short = {seq: one for seq, one in whole.items() if seq != 77_777}
    here, there = Scripted(whole), Scripted(short)
    assert differences(here.span, there.span, SOURCE) == [
        Difference(SOURCE, 77_777, 77_777, "here_only")
    ]
    assert here.asked < 50


def test_what_retention_has_taken_is_no_difference() -> None:
    here = Scripted(dict.fromkeys(range(1, 11), b"x"))
    there = Scripted(dict.fromkeys(range(6, 11), b"x"), held_from=6)
    assert differences(here.span, there.span, SOURCE) == []


def test_two_ledgers_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, last in (("one", 9), ("other", 6)):
        with closing(embedded(tmp_path / name / LEDGER)) as home:
            home.stream.append(PLANT, run(SOURCE, 1, 3))
            told = [entry(SOURCE, 4, name.encode()), *run(SOURCE, 5, last)]
            home.stream.append(PLANT, told)
            home.stream.append(PLANT, run("h/1", 1, 5))
    asked = ["reconcile", str(tmp_path / "one"), str(tmp_path / "other")]
    assert main(asked) == 1
    said = capsys.readouterr().out
    assert "g/1: 序号 4 至 4 两端内容不同" in said
    assert "Numbers 7 to 9 are held here only" in said
    assert "2 处不同" in said
    assert main(["reconcile", str(tmp_path / "one"), str(tmp_path / "one")]) == 0


def _sent(outbox: Outbox, path: Path, numbers: range) -> None:
    """Let a server take frames of an outbox as they are."""
    epoch = outbox.epochs()[0].epoch
    with closing(embedded(path / LEDGER)) as home:
        for seq in numbers:
            sealed = outbox.unsent(epoch, seq - 1)
            made = Entry(
                source=f"{GATEWAY}/{epoch}",
                seq=seq,
                data=sealed.body,
                digest=digest(sealed.body),
                received_at=NOW,
                kind="samples",
            )
            home.stream.append(PLANT, [made])


def test_an_outbox_finds_what_a_restored_server_has_lost(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with outbox_at(path) as outbox:
        epoch = outbox.open_epoch(NOW, RANDOM)
        for second in range(1, 9):
            put(outbox, second)
        _sent(outbox, tmp_path / "server", range(1, 7))
        _sent(outbox, tmp_path / "restored", range(1, 4))
        outbox.forget(epoch, 5)
    source = f"{GATEWAY}/{epoch}"
    with end_of(str(path)) as here, end_of(str(tmp_path / "server")) as there:
        assert list(compared(here, there)) == []
    with end_of(str(path)) as here, end_of(str(tmp_path / "restored")) as there:
        assert list(compared(here, there)) == [Difference(source, 4, 5, "lost_there")]


def test_an_outbox_in_use_and_what_is_no_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with outbox_at(path), pytest.raises(Refused, match=r"outbox_unreadable"), end_of(str(path)):
        pass
    with pytest.raises(Refused, match=r"no_end"), end_of(str(tmp_path / "nothing")):
        pass
    with pytest.raises(Refused, match=r"no_server"), end_of("http://127.0.0.1:1", "x"):
        pass


def test_a_memory_home_answers_like_a_ledger() -> None:
    home = MemoryHome()
    home.stream.append(PLANT, run(SOURCE, 1, 5))
    told = home.stream.span(SOURCE, 2, 3)
    assert (told.count, told.held_from, told.last_seq) == (2, 1, 5)
