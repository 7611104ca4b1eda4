"""What only the embedded home has to get right: files, the index, the disk, other processes."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from meltwatch.ledger import database
from meltwatch.ledger.check import check
from meltwatch.ledger.database import Opening
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.errors import Damaged, InUse, Truncated, Unavailable, UnknownFormat
from meltwatch.ledger.port import Appended, Known, Stored
from meltwatch.ledger.reading import EmbeddedReader
from tests.ledger.telling import PLANT, digest_of, embedded, entry, everything, names, run


@contextmanager
def opened(path: Path, rotate_bytes: int = 1 << 30) -> Iterator[EmbeddedHome]:
    """Open a home and close it again."""
    home = embedded(path, rotate_bytes)
    try:
        yield home
    finally:
        home.close()


def logs(path: Path) -> list[int]:
    """Return the first positions of the log files."""
    return sorted(int(file.stem.removeprefix("log-")) for file in path.glob("log-*.sqlite"))


def keys(home: EmbeddedHome) -> list[str]:
    """Return what opening had to put right."""
    return [problem.key for problem in home.stream.healed]


# Rotation


def test_a_file_ends_with_its_period_and_a_clock_set_back_does_not_rotate(tmp_path: Path) -> None:
    with opened(tmp_path) as home:
        for seq, at in enumerate([900, 999, 1_000, 100, 1_999, 5_000], start=1):
            home.stream.append(PLANT, [entry("g/1", seq, at=at)])
        assert logs(tmp_path) == [1, 3, 6]
        assert names(everything(home.stream)) == [("g/1", seq) for seq in range(1, 7)]
        # A repeat is found whichever file it is in, and in the right one.
        assert home.stream.append(PLANT, run("g/1", 1, 6)) == [Known(pos) for pos in range(1, 7)]
    assert check(tmp_path, digest_of) == []


def test_a_file_ends_at_its_size_and_a_call_stays_whole(tmp_path: Path) -> None:
    with opened(tmp_path, rotate_bytes=300_000) as home:
        for first in range(1, 13, 3):
            call = [entry("g/1", seq, bytes([seq]) * 100_000) for seq in range(first, first + 3)]
            home.stream.append(PLANT, call)
        assert logs(tmp_path) == [1, 4, 7, 10]
        assert len(everything(home.stream)) == 12


def test_reopening_goes_on_in_the_newest_file(tmp_path: Path) -> None:
    for seq in (1, 2):
        with opened(tmp_path) as home:
            home.stream.append(PLANT, [entry("g/1", seq, at=10)])
    assert logs(tmp_path) == [1]


# Retention


def test_whole_files_go_with_all_that_belongs_to_them_and_the_newest_stays(tmp_path: Path) -> None:
    with opened(tmp_path) as home:
        for seq in range(1, 10):
            home.stream.append(PLANT, [entry("g/1", seq, at=seq * 500)])
        assert logs(tmp_path) == [1, 2, 4, 6, 8]
        assert home.stream.retain({PLANT: 4}) == 3
        assert sorted(path.name for path in tmp_path.glob("log-*"))[0].startswith(f"log-{4:019d}")
        # Four itself could go, but files go whole: reading behind 3 is still possible.
        assert names(home.stream.read(PLANT, 3, 1)) == [("g/1", 4)]
        with pytest.raises(Truncated):
            home.stream.read(PLANT, 2, 1)
        home.stream.retain({PLANT: 9})
        assert logs(tmp_path) == [8]
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as index:
        assert index.execute("SELECT file, first_seq FROM spans").fetchall() == [(8, 8)]
    assert check(tmp_path, digest_of) == []


def test_a_reader_elsewhere_meets_retention_without_an_error(tmp_path: Path) -> None:
    with opened(tmp_path) as home, closing(EmbeddedReader(tmp_path)) as reader:
        for seq in range(1, 7):
            home.stream.append(PLANT, [entry("g/1", seq, at=seq * 1_000)])
        assert len(everything(reader)) == 6
        home.stream.retain({PLANT: 4})
        assert names(everything(reader, after=4)) == [("g/1", 5), ("g/1", 6)]
        with pytest.raises(Truncated):
            reader.read(PLANT, 0, 1)


def test_a_file_stays_as_long_as_one_partition_needs_it(tmp_path: Path) -> None:
    with opened(tmp_path) as home:
        home.stream.append("a", [entry("core", 1)])
        home.stream.append("b", [entry("core", 2)])
        home.stream.append("a", [entry("core", 3, at=1_000)])
        assert home.stream.retain({"a": 3, "b": 1}) == 0
        assert home.stream.retain({"a": 3}) == 0
        assert home.stream.retain({"a": 3, "b": 2}) == 2


def test_retention_between_a_reader_s_look_and_its_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as home, closing(EmbeddedReader(tmp_path)) as reader:
        for seq in range(1, 4):
            home.stream.append(PLANT, [entry("g/1", seq, at=seq * 1_000)])
        look = reader._asked.removed

        def early(partition: str) -> int:
            removed = look(partition)
            home.stream.retain({PLANT: 2})
            return removed

        monkeypatch.setattr(reader._asked, "removed", early)
        with pytest.raises(Truncated):
            reader.read(PLANT, 0, 10)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    with opened(tmp_path) as home:
        home.stream.append(PLANT, run("g/1", 1, 1))
        with closing(EmbeddedReader(tmp_path)) as reader:
            for connection in (reader._asked.connection, reader._shelf.reader(1).connection):
                with pytest.raises(sqlite3.OperationalError, match="readonly"):
                    connection.execute("CREATE TABLE scribble (x)")


# The index


def test_an_index_that_missed_the_end_is_brought_up(tmp_path: Path) -> None:
    with opened(tmp_path) as home:
        home.stream.append(PLANT, run("g/1", 1, 2, at=0))
    shutil.copy(tmp_path / "index.sqlite", tmp_path / "older")
    with opened(tmp_path) as home:
        home.stream.append(PLANT, run("g/1", 3, 4, at=500))
        home.stream.append("other", run("g/2", 1, 2, at=1_500))
    (tmp_path / "older").rename(tmp_path / "index.sqlite")
    assert check(tmp_path, digest_of) == []
    with opened(tmp_path) as home:
        assert keys(home) == ["ledger.index_behind"]
        assert home.stream.healed[0].params == {"applied": 2, "end": 6}
        assert home.stream.sources() == {"g/1": 4, "g/2": 2}
        assert (home.stream.newest_epoch("g"), home.stream.end("other")) == ("2", 6)
        assert home.stream.append(PLANT, run("g/1", 2, 5)) == [
            Known(2),
            Known(3),
            Known(4),
            Appended(7),
        ]
    with opened(tmp_path) as home:
        assert home.stream.healed == []


def test_a_lost_index_is_made_again_from_what_is_retained(tmp_path: Path) -> None:
    with opened(tmp_path) as home:
        for seq in range(1, 5):
            home.stream.append(PLANT, [entry("g/1", seq, at=seq * 1_000)])
        home.stream.retain({PLANT: 2})
    (tmp_path / "index.sqlite").unlink()
    with opened(tmp_path) as home:
        assert keys(home) == ["ledger.index_rebuilt", "ledger.index_behind"]
        assert home.stream.last_seq("g/1") == 4
        assert names(everything(home.stream, after=2)) == [("g/1", 3), ("g/1", 4)]
        with pytest.raises(Truncated):
            home.stream.read(PLANT, 1, 1)
        assert home.stream.append(PLANT, run("g/1", 2, 3)) == [Known(None), Known(3)]
    assert check(tmp_path, digest_of) == []


def test_a_log_that_lost_its_end_gives_numbers_back_but_no_position_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as home:
        home.stream.append(PLANT, [*run("g/1", 1, 3), *run("g/2", 1, 1)])
    (first,) = tmp_path.glob("log-*.sqlite")
    shutil.copy(first, tmp_path / "older")
    with opened(tmp_path) as home:
        home.stream.append(PLANT, [*run("g/1", 4, 5), *run("g/3", 1, 1)])
        home.stream.append("other", run("g/2", 2, 2, at=1_000))
    (tmp_path / "older").rename(first)
    (tmp_path / f"log-{8:019d}.sqlite").unlink()
    with opened(tmp_path) as home:
        assert keys(home) == ["ledger.log_lost_tail"]
        assert home.stream.sources() == {"g/1": 3, "g/2": 1}
        assert (home.stream.end(PLANT), home.stream.end("other")) == (4, 0)
        assert home.stream.append(PLANT, run("g/1", 4, 5)) == [Appended(9), Appended(10)]
        assert [stored.pos for stored in everything(home.stream)] == [1, 2, 3, 4, 9, 10]
    with opened(tmp_path) as home:
        assert home.stream.healed == []
        assert home.stream.append(PLANT, run("g/1", 4, 4)) == [Known(9)]
        assert home.stream.append("other", run("g/2", 2, 2)) == [Appended(11)]
        assert home.stream.append("other", run("g/2", 2, 2)) == [Known(11)]
    (finding,) = check(tmp_path, digest_of)
    assert (finding.key, finding.params) == ("ledger.positions_missing", {"first": 5, "last": 8})


def test_a_committed_position_is_never_given_again(tmp_path: Path) -> None:
    with opened(tmp_path) as home:
        home.stream.append(PLANT, run("g/1", 1, 3))
        owner = home.partition(PLANT)
        owner.acquire()
        owner.commit(3, [])
    for path in (*tmp_path.glob("log-*"), tmp_path / "index.sqlite"):
        path.unlink()
    with opened(tmp_path) as home:
        assert home.stream.append(PLANT, run("g/1", 1, 1)) == [Appended(4)]


# The disk


def test_a_full_disk_is_unavailable_and_work_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = {"pages": 20}
    connect = database.connect

    def limited(path: Path, mode: str, opening: Opening) -> sqlite3.Connection:
        connection = connect(path, mode, opening)
        if path.name.startswith("log-"):
            connection.execute(f"PRAGMA max_page_count = {limit['pages']}")
        return connection

    monkeypatch.setattr(database, "connect", limited)
    with opened(tmp_path) as home:
        big = [entry("g/1", seq, bytes([seq]) * 50_000) for seq in range(1, 9)]
        assert home.stream.append(PLANT, big[:2]) == [Appended(1), Appended(2)]
        stored = 2
        with pytest.raises(Unavailable, match="full"):
            home.stream.append(PLANT, big[2:])
        with pytest.raises(Unavailable, match="full"):
            home.stream.append(PLANT, big)
        assert len(everything(home.stream)) == home.stream.last_seq("g/1") == stored
        limit["pages"] = 1_000
        outcomes = home.stream.append(PLANT, big)
        assert outcomes == [
            Known(pos) if pos <= stored else Appended(pos) for pos in range(1, len(big) + 1)
        ]
    assert check(tmp_path, digest_of) == []


def test_a_failing_write_is_unavailable_and_work_resumes(tmp_path: Path) -> None:
    big = [entry("g/1", seq, bytes([seq]) * 400_000) for seq in range(1, 4)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(tmp_path) as home:
        home.stream.append(PLANT, big[:1])
        # The system itself refuses to let any file of this process grow further.
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, limits[1]))
        try:
            with pytest.raises(Unavailable):
                home.stream.append(PLANT, big[1:])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert len(everything(home.stream)) == 1
        assert home.stream.append(PLANT, big) == [Known(1), Appended(2), Appended(3)]
    assert check(tmp_path, digest_of) == []


def test_a_lock_held_elsewhere_is_unavailable_and_work_resumes(tmp_path: Path) -> None:
    with closing(EmbeddedHome(tmp_path, sync="off", busy_ms=20)) as home:
        home.stream.append(PLANT, run("g/1", 1, 1))
        (log,) = tmp_path.glob("log-*.sqlite")
        for name in (log.name, "index.sqlite"):
            with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(Unavailable, match="locked"):
                    home.stream.append(PLANT, run("g/1", 2, 3))
                other.execute("ROLLBACK")
        # The log had committed when the index could not follow: the retry is told so.
        assert home.stream.append(PLANT, run("g/1", 2, 4)) == [Known(2), Known(3), Appended(4)]
        assert names(everything(home.stream)) == [("g/1", seq) for seq in range(1, 5)]


def test_full_waits_for_the_disk_and_off_does_not(tmp_path: Path) -> None:
    for sync, told in (("full", 2), ("off", 0)):
        with closing(EmbeddedHome(tmp_path / sync, sync=sync)) as home:  # type: ignore[arg-type]
            home.stream.append(PLANT, run("g/1", 1, 1))
            home.stream.append(PLANT, run("g/1", 2, 2, at=10_000_000))
            assert home.stream._log
            for connection in (home.stream._log.connection, home._state._connection):
                assert database.scalar(connection, "PRAGMA synchronous") == told


# Formats and other processes


@pytest.mark.parametrize(
    ("name", "known"), [("index.sqlite", 1), ("state.sqlite", 2), (f"log-{1:019d}.sqlite", 1)]
)
def test_another_version_and_another_kind_are_left_alone(
    tmp_path: Path, name: str, known: int
) -> None:
    with opened(tmp_path) as home:
        home.stream.append(PLANT, run("g/1", 1, 1))
    for pragma, found in (("user_version = 7", 7), ("application_id = 1", 0)):
        with closing(sqlite3.connect(tmp_path / name)) as other:
            other.execute(f"PRAGMA {pragma}")
        before = (tmp_path / name).read_bytes()
        with pytest.raises(UnknownFormat) as refused:
            embedded(tmp_path)
        assert (refused.value.found, refused.value.known) == (found, known)
        assert (tmp_path / name).read_bytes() == before
        assert "ledger.file_unreadable" in {problem.key for problem in check(tmp_path)}


def test_what_is_no_database_is_damaged(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    (tmp_path / "index.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(Damaged):
        embedded(tmp_path)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path):
        with pytest.raises(InUse):
            embedded(tmp_path)
        with pytest.raises(InUse):
            embedded(tmp_path)
    with opened(tmp_path):
        pass


def test_nothing_to_read_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        EmbeddedReader(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_beside_the_writer_sees_each_once_in_order(tmp_path: Path) -> None:
    last, found = 300, list[Stored]()
    with opened(tmp_path) as home:
        home.stream.append(PLANT, [entry("g/1", 1)])

        def reading() -> None:
            with closing(EmbeddedReader(tmp_path)) as reader:
                while len(found) < last:
                    found.extend(reader.read(PLANT, found[-1].pos if found else 0, 7))

        thread = threading.Thread(target=reading)
        thread.start()
        for seq in range(2, last + 1):
            home.stream.append(PLANT, [entry("g/1", seq, at=seq * 50)])
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert names(found) == [("g/1", seq) for seq in range(1, last + 1)]


def test_no_file_is_larger_than_its_bound_and_one_call_nor_longer_than_its_period(
    tmp_path: Path,
) -> None:
    """The group that a file ends with stays whole: by so much the bound may be exceeded."""
    bound, call = 400_000, 10 * 20_000
    with opened(tmp_path, rotate_bytes=bound) as home:
        for first in range(1, 200, 10):
            entries = [
                entry("g/1", seq, bytes([seq % 250]) * 20_000, at=seq * 40)
                for seq in range(first, first + 10)
            ]
            home.stream.append(PLANT, entries)
    for path in tmp_path.glob("log-*.sqlite"):
        assert path.stat().st_size <= bound + 1.2 * call
        with closing(sqlite3.connect(path)) as log:
            begun, ended = log.execute(
                "SELECT min(received_at), max(received_at) FROM entries"
            ).fetchone()
        assert ended - begun < 1_000 + 10 * 40
    assert len(logs(tmp_path)) > 8
