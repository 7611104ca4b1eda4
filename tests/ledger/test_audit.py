"""What only the embedded home's audit table has to get right."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import meltwatch
from meltwatch.audit.chain import SPOILED, Head, head_after, wrong_with
from meltwatch.ledger.check import check
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.errors import Damaged, Unavailable
from meltwatch.ledger.port import AuditTrail
from meltwatch.ledger.reading import AuditReader
from tests.audit.telling import deed, keys
from tests.ledger.telling import PLANT, embedded

BEGIN = Head("core")


@contextmanager
def opened(path: Path) -> Iterator[EmbeddedHome]:
    with closing(embedded(path)) as home:
        yield home


def with_deeds(path: Path, *people: str) -> None:
    """Make a ledger in which these people did something, a commit each."""
    with opened(path) as home:
        owner = home.partition(PLANT)
        owner.acquire()
        for pos, who in enumerate(people, start=1):
            owner.commit(pos, [b"told"], [deed(who)])


def behind_its_back(path: Path, sql: str, *params: object) -> None:
    with closing(sqlite3.connect(path / "state.sqlite", isolation_level=None)) as other:
        other.execute(sql, params)


def wrong(trail: AuditTrail) -> list[tuple[str, str]]:
    return keys(wrong_with(trail.audit(0, 99), BEGIN))


def test_any_changed_byte_of_a_stored_row_is_found(tmp_path: Path) -> None:
    with_deeds(tmp_path, "li", "wang", "zhao")
    with closing(sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)) as other:
        sql = "SELECT data FROM audit WHERE number = 2"
        (stored,) = other.execute(sql).fetchone()
        with closing(AuditReader(tmp_path, sync="off")) as trail:
            assert wrong(trail) == []
            for place in range(len(stored)):
                changed = stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :]
                other.execute("UPDATE audit SET data = ? WHERE number = 2", (changed,))
                assert wrong(trail) != [], f"byte {place}"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DELETE FROM audit WHERE number = 2", ("core/3", "audit.out_of_place")),
        ("UPDATE audit SET number = 9 WHERE number = 2", ("core/9", "audit.row_spoiled")),
        ("INSERT INTO audit SELECT 4, partition, pos, data FROM audit WHERE number = 3",
         ("core/4", "audit.row_spoiled")),
        ("UPDATE audit SET data = x'' WHERE number = 2", ("core/2", "audit.row_spoiled")),
    ],
)  # fmt: skip
def test_rows_that_were_removed_moved_or_added_are_found_by_the_check(
    tmp_path: Path, sql: str, told: tuple[str, str]
) -> None:
    with_deeds(tmp_path, "li", "wang", "zhao")
    assert check(tmp_path) == []
    behind_its_back(tmp_path, sql)
    assert told in keys(check(tmp_path))


def test_people_go_on_behind_a_spoiled_row_which_stays_found(tmp_path: Path) -> None:
    """A changed audit row is for the auditor; the plant's alarms do not wait for him."""
    with_deeds(tmp_path, "li", "wang")
    behind_its_back(tmp_path, "UPDATE audit SET data = x'01' WHERE number = 2")
    with opened(tmp_path) as home:
        owner = home.partition(PLANT)
        owner.acquire()
        assert [row.deed for row in owner.deeds_at(2)] == [SPOILED]
        assert owner.commit(3, [], [deed("zhao")])
        assert [row.deed.who for row in home.audit(2, 9)] == ["zhao"]
        assert wrong(home) == [("core/2", "audit.row_spoiled")]


def test_a_commit_whose_row_is_refused_by_the_disk_leaves_nothing(tmp_path: Path) -> None:
    with_deeds(tmp_path, "li")
    behind_its_back(
        tmp_path,
        "CREATE TRIGGER full BEFORE INSERT ON audit WHEN new.number = 3 "
        "BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    with opened(tmp_path) as home:
        owner = home.partition(PLANT)
        assert owner.acquire().committed == 1
        with pytest.raises(Damaged):
            owner.commit(2, [b"raised"], [deed("wang"), deed("zhao")])
        assert [effect.pos for effect in owner.effects(0, 9)] == [1]
        assert [row.deed.who for row in home.audit(0, 9)] == ["li"]
        assert home.partition(PLANT).acquire().committed == 1


def test_another_process_reads_while_the_core_writes(tmp_path: Path) -> None:
    with opened(tmp_path) as home, closing(AuditReader(tmp_path, sync="off")) as trail:
        owner = home.partition(PLANT)
        owner.acquire()
        assert (trail.audit_head(), trail.audit(0, 9)) == (BEGIN, [])
        owner.commit(1, [], [deed("li")])
        assert trail.audit_head() == home.audit_head() == head_after(trail.audit(0, 9)[0])
        root = Path(__file__).parents[2]
        source = Path(meltwatch.__file__).parents[1]
        seen = subprocess.run(
            [sys.executable, "-c", ELSEWHERE, str(root), str(source), str(tmp_path)],
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
        assert seen.stdout.strip() == home.audit_head().hash.hex()


ELSEWHERE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from meltwatch.ledger.reading import AuditReader
print(AuditReader(Path(sys.argv[3]), sync="off").audit_head().hash.hex())
"""


def test_without_a_ledger_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        AuditReader(tmp_path)
    assert list(tmp_path.iterdir()) == []
