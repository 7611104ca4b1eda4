"""Files written by every version so far are read, and the page on the format tells the truth.

A golden file is the dump (`.dump`) of a file as that version wrote it; it is never changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.audit.chain import Head, wrong_with
from meltwatch.ledger import index, logfile, state
from meltwatch.ledger.check import check
from meltwatch.ledger.database import Format
from meltwatch.ledger.errors import Truncated
from meltwatch.ledger.port import Appended, Known
from meltwatch.ledger.reading import AuditReader
from tests.audit.telling import deed
from tests.ledger.telling import PLANT, digest_of, embedded, entry, everything, names, run

HERE = Path(__file__).parent
DEEDS = [
    deed("li", why="误报", params={"limit": 60.5, "on": True}),
    deed("wang", "shelve", outcome="command.unknown", other=Head("web", 7, bytes(range(32)))),
]
PAGE = HERE.parents[1] / "docs" / "formats" / "ledger.md"


def golden(path: Path, version: str) -> None:
    """Make the files that a version wrote."""
    for dump in (HERE / "golden" / version).glob("*.sql"):
        with closing(sqlite3.connect(path / f"{dump.stem}.sqlite")) as made:
            made.executescript(dump.read_text())


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_old_ledger_is_read_and_goes_on(tmp_path: Path, version: str) -> None:
    golden(tmp_path, version)
    assert check(tmp_path, digest_of) == []
    with closing(embedded(tmp_path)) as home:
        stream = home.stream
        assert stream.healed == []
        assert names(everything(stream, after=2)) == [("g/a", 3), ("g/a", 4), ("g/a", 5)]
        assert names(everything(stream, "plant-2")) == [("core", 1)]
        with pytest.raises(Truncated):
            stream.read(PLANT, 0, 1)
        assert stream.sources() == {"core": 1, "g/a": 5}
        assert stream.newest_epoch("g") == "b"
        assert [kept.data for kept in stream.conflicts(0, 9)] == [b"other"]
        owned = (owner := home.partition(PLANT)).acquire()
        assert (owned.fence, owned.committed, owned.state) == (2, 4, b"state at 4")
        assert [effect.data for effect in owner.effects(0, 9)] == [b"raised", b"returned"]
        assert stream.append(PLANT, [*run("g/a", 5, 6), entry("core", 2)]) == [
            Known(6),
            Appended(7),
            Appended(8),
        ]
    assert check(tmp_path, digest_of) == []


def test_a_ledger_from_before_the_audit_gets_a_chain(tmp_path: Path) -> None:
    golden(tmp_path, "v1")
    with closing(AuditReader(tmp_path, sync="off")) as trail:
        assert (trail.audit_head(), trail.audit(0, 9)) == (Head("core"), [])
        with closing(embedded(tmp_path)) as home:
            owner = home.partition(PLANT)
            owner.acquire()
            # The last commit of the former version is still known as the same one.
            assert owner.commit(4, [b"returned"]) is False
            assert owner.commit(6, [], [deed("li")])
            assert [row.deed.who for row in trail.audit(0, 9)] == ["li"]
    with closing(embedded(tmp_path)) as home:
        assert home.audit_head().number == 1
    assert check(tmp_path, digest_of) == []


def test_the_chain_of_an_old_ledger_is_sound_and_goes_on(tmp_path: Path) -> None:
    golden(tmp_path, "v2")
    with closing(embedded(tmp_path)) as home:
        owner = home.partition(PLANT)
        owner.acquire()
        assert owner.deeds_at(4) == home.audit(0, 9)
        assert owner.commit(4, [b"returned"], DEEDS) is False
        owner.commit(6, [], [deed("zhao")])
        rows = home.audit(0, 9)
        assert wrong_with(rows, Head("core"), home.audit_head()) == []
        assert [row.deed for row in rows] == [*DEEDS, deed("zhao")]


@pytest.mark.parametrize("form", [logfile.FORMAT, index.FORMAT, state.FORMAT])
def test_the_page_shows_the_tables_as_they_are(form: Format) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert form.schema in page
    assert f"0x{form.application_id:08X}" in page
