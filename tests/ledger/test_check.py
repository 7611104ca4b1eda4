"""The check finds what it is for, and names the place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.errors import Problem
from meltwatch.ledger.check import check
from tests.ledger.telling import PLANT, digest_of, embedded, entry, run

FIRST, SECOND = f"log-{1:019d}.sqlite", f"log-{4:019d}.sqlite"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A ledger of two files: g/1 1..3, then g/1 4..5 and h/1 1..2; a conflict of g/1 1."""
    with closing(embedded(tmp_path)) as home:
        home.stream.append(PLANT, run("g/1", 1, 3))
        home.stream.append(PLANT, [*run("g/1", 4, 5, at=1_000), *run("h/1", 1, 2, at=1_000)])
        home.stream.append(PLANT, [entry("g/1", 1, b"other")])
    assert check(tmp_path, digest_of) == []
    return tmp_path


def changed(path: Path, sql: str) -> None:
    """Change a file behind the program's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(sql)


def told(path: Path) -> list[tuple[str, str]]:
    """Return (place, key) of every finding."""
    return [(problem.place, problem.key) for problem in check(path, digest_of)]


@pytest.mark.parametrize(
    ("name", "sql", "expected"),
    [
        (
            FIRST,
            "DELETE FROM entries WHERE pos = 2",
            [(FIRST, "ledger.positions_missing"), (FIRST, "ledger.seq_not_dense")],
        ),
        (
            FIRST,
            "UPDATE entries SET data = x'00' WHERE pos = 2",
            [(FIRST, "ledger.digest_differs")],
        ),
        (
            SECOND,
            "UPDATE entries SET seq = 9 WHERE pos = 5",
            [(SECOND, "ledger.seq_not_dense"), ("index.sqlite", "ledger.index_differs")],
        ),
        (
            "index.sqlite",
            "UPDATE sources SET last_seq = 1 WHERE source = 'h/1'",
            [("index.sqlite", "ledger.index_differs")],
        ),
        (
            "index.sqlite",
            "UPDATE conflicts SET data = x'00'",
            [("index.sqlite", "ledger.conflict_digest_differs")],
        ),
    ],
)
def test_a_change_is_found(
    sound: Path, name: str, sql: str, expected: list[tuple[str, str]]
) -> None:
    changed(sound / name, sql)
    assert told(sound) == expected


def test_a_missing_file_is_found(sound: Path) -> None:
    (sound / FIRST).unlink()
    findings = told(sound)
    assert (SECOND, "ledger.positions_missing") in findings
    assert (SECOND, "ledger.seq_not_dense") in findings


def test_a_spoilt_page_is_found_and_the_other_files_are_still_looked_at(sound: Path) -> None:
    path = sound / FIRST
    content = bytearray(path.read_bytes())
    content[16_384:20_000] = b"\xff" * (20_000 - 16_384)
    path.write_bytes(content)
    changed(sound / "index.sqlite", "UPDATE conflicts SET data = x'00'")
    places = {problem.place for problem in check(sound, digest_of)}
    assert {FIRST, "index.sqlite"} <= places


def test_without_a_digest_function_only_structure_is_checked(sound: Path) -> None:
    changed(sound / FIRST, "UPDATE entries SET data = x'00' WHERE pos = 2")
    assert check(sound) == []


def test_it_runs_beside_the_writer(sound: Path) -> None:
    with closing(embedded(sound)) as home:
        home.stream.append(PLANT, run("g/1", 6, 9, at=3_000))
        assert check(sound, digest_of) == []
        home.stream.retain({PLANT: 7})
        assert check(sound, digest_of) == []


def test_a_place_without_a_ledger_is_no_sound_ledger(tmp_path: Path) -> None:
    problems = check(tmp_path)
    assert [problem.place for problem in problems] == ["index.sqlite", "state.sqlite"]
    assert all(isinstance(problem, Problem) for problem in problems)
    assert list(tmp_path.iterdir()) == []
