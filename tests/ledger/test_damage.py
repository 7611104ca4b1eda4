"""A damaged page or file stops nobody: what can be read is read, what cannot is named.

The damage is real: bytes of the closed file are written over.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.ledger.check import check, check_behind
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.port import Appended, Entry, Known, Lost
from meltwatch.ledger.reading import EmbeddedReader
from tests.ledger.telling import PLANT, embedded, entry, everything, names, run

PAGE = 16_384
OTHER = "plant-2"
FIRST = f"log-{1:019d}.sqlite"


def large(source: str, first: int, last: int, at: int = 0) -> list[Entry]:
    """Return entries of which five fill a page."""
    return [
        entry(source, seq, f"<{source}#{seq}>".encode().ljust(3_000, b"."), at)
        for seq in range(first, last + 1)
    ]


def spoil(path: Path, marker: bytes, *, with_what: bytes = b"\xff") -> None:
    """Write over the whole page that holds a marker."""
    content = bytearray(path.read_bytes())
    start = content.index(marker) // PAGE * PAGE
    content[start : start + PAGE] = with_what * PAGE
    path.write_bytes(content)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A file of 100 entries of two plants in turn, g/1 1..50 and h/1 1..50; closed."""
    with closing(embedded(tmp_path)) as home:
        for seq in range(1, 51):
            home.stream.append(PLANT, large("g/1", seq, seq))
            home.stream.append(OTHER, large("h/1", seq, seq))
    return tmp_path


@pytest.mark.parametrize("with_what", [b"\xff", b"\x00", b"\x5a"])
def test_a_spoilt_page_costs_its_own_entries_and_names_them(ledger: Path, with_what: bytes) -> None:
    spoil(ledger / FIRST, b"<g/1#25>", with_what=with_what)
    with closing(EmbeddedReader(ledger)) as reader:
        left = [*names(everything(reader)), *names(everything(reader, OTHER))]
        damage = reader.damage()
    whole = {*names([]), *(("g/1", n) for n in range(1, 51)), *(("h/1", n) for n in range(1, 51))}
    missing = whole - set(left)
    assert ("g/1", 25) in missing
    assert len(missing) <= 6
    assert all(one.file == FIRST for one in damage)
    told = {
        (name.split()[0], seq)
        for one in damage
        for name in one.sources
        for seq in _numbers(name.partition(" ")[2])
    }
    assert told == missing
    assert sum(one.last - one.first + 1 for one in damage) == len(missing)


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(", "):
        start, _, end = part.partition("-")
        found += range(int(start), int(end or start) + 1)
    return found


def test_the_newest_page_spoilt_does_not_stop_the_log(ledger: Path) -> None:
    spoil(ledger / FIRST, b"<h/1#50>")
    with closing(embedded(ledger)) as home:
        stream = home.stream
        assert stream.append(PLANT, run("g/1", 51, 52)) == [Appended(101), Appended(102)]
        assert stream.append(OTHER, run("h/1", 51, 51)) == [Appended(103)]
        assert names(everything(stream))[-2:] == [("g/1", 51), ("g/1", 52)]
        assert names(everything(stream, OTHER))[-1] == ("h/1", 51)
        assert stream.damage()
    with closing(embedded(ledger)) as home:  # and once more, beside the damaged file
        assert home.stream.append(PLANT, run("g/1", 53, 53)) == [Appended(104)]
        assert home.stream.append(OTHER, large("h/1", 50, 50)) in ([Known(None)], [Known(100)])


def test_a_file_that_is_no_database_any_more_costs_what_it_held(ledger: Path) -> None:
    with closing(embedded(ledger)) as home:
        home.stream.append(PLANT, run("g/1", 51, 51, at=5_000))
    (ledger / FIRST).write_bytes(b"no database" * 10_000)
    with closing(embedded(ledger)) as home:
        stream = home.stream
        assert names(everything(stream)) == [("g/1", 51)]
        assert stream.append(PLANT, run("g/1", 52, 52, at=5_000)) == [Appended(102)]
        assert stream.damage() == [Lost(FIRST, 1, 100, ("g/1", "h/1"))]


@pytest.mark.parametrize("content", [b"", b"no database" * 10_000])
def test_the_newest_file_gone_bad_asks_nobody_for_what_was_acknowledged(
    ledger: Path, content: bytes
) -> None:
    (ledger / FIRST).write_bytes(content)
    with closing(embedded(ledger)) as home:
        assert home.stream.sources() == {"g/1": 50, "h/1": 50}
        assert home.stream.append(PLANT, run("g/1", 51, 51)) == [Appended(101)]
        assert names(everything(home.stream)) == [("g/1", 51)]
        assert [(one.first, one.last) for one in home.stream.damage()] == [(1, 100)]


def test_a_damaged_index_is_set_aside_and_made_again(ledger: Path) -> None:
    (ledger / "index.sqlite").write_bytes(b"no database" * 10_000)
    with closing(embedded(ledger)) as home:
        assert [one.key for one in home.stream.set_aside] == ["ledger.index_set_aside"]
        assert home.stream.sources() == {"g/1": 50, "h/1": 50}
        assert home.stream.append(PLANT, run("g/1", 50, 51))[1] == Appended(101)
    assert (ledger / "index.sqlite.damaged-1").exists()
    assert check(ledger) == []


def test_retention_takes_a_damaged_file_when_nobody_can_need_it(ledger: Path) -> None:
    with closing(embedded(ledger)) as home:
        home.stream.append(PLANT, run("g/1", 51, 51, at=5_000))
    (ledger / FIRST).write_bytes(b"no database" * 10_000)
    with closing(embedded(ledger)) as home:
        assert home.stream.retain({PLANT: 101, OTHER: 99}) == 0
        assert home.stream.retain({PLANT: 101, OTHER: 100}, received_before=5_000) == 0
        assert home.stream.retain({PLANT: 101, OTHER: 100}, received_before=5_001) == 100
        assert not (ledger / FIRST).exists()
        assert home.stream.damage() == []


def test_opening_looks_behind_the_checkpoint_only(ledger: Path) -> None:
    with closing(EmbeddedHome(ledger)) as home:
        connection = home.stream._log
        assert connection is not None
        connection.connection.execute("DELETE FROM entries WHERE pos IN (10, 60, 61)")
    assert [one.params for one in check_behind(ledger, 50)] == [{"first": 60, "last": 61}]
    assert check_behind(ledger, 61) == []
    assert [one.params["first"] for one in check_behind(ledger, 0)] == [10, 60]
