"""The register's file: its tables are those of the models, and what cannot be opened says so."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, insert, inspect
from sqlalchemy.exc import IntegrityError

from meltwatch.audit.chain import Head, wrong_with
from meltwatch.register.audit import CHAIN, read_audit
from meltwatch.register.database import guarded, open_engine
from meltwatch.register.errors import RegisterUnavailable
from meltwatch.register.register import Register
from meltwatch.register.tables import accounts, metadata
from tests.register.people import LI, NOW, OPERATOR, PASSWORD, PLANT, acknowledge

ROOT = Path(__file__).parents[2]
PERSON = {"login": "x", "name": "x", "password": "x", "created_at": NOW}


def test_the_migrations_make_the_tables_that_the_models_name(path: Path) -> None:
    engine = open_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert len(inspect(connection).get_table_names()) == len(metadata.tables) + 1
        found = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert (found, connection.exec_driver_sql("PRAGMA synchronous").scalar()) == ("wal", 2)
    engine.dispose()


def test_the_migrations_make_the_checks_that_the_models_name(path: Path) -> None:
    def checks(engine: Engine) -> dict[str, list[tuple[str | None, str]]]:
        """Return what Alembic does not compare."""
        looked = inspect(engine)
        return {
            table: [(one["name"], one["sqltext"]) for one in looked.get_check_constraints(table)]
            for table in metadata.tables
        }

    migrated, made = open_engine(path), create_engine("sqlite://")
    metadata.create_all(made)
    assert checks(migrated) == checks(made)
    assert checks(made)["accounts"]
    migrated.dispose()
    made.dispose()


@pytest.mark.parametrize(
    ("role", "enterprise", "region", "may_be"),
    [
        ("shift", "plant-1", None, True),
        ("county", None, "370881", True),
        ("ministry", None, None, True),
        ("shift", None, None, False),
        ("county", "plant-1", "370881", False),
        ("admin", "plant-1", None, False),
        ("ministry", None, "370881", False),
    ],
)
def test_the_table_itself_refuses_a_person_with_another_scope(
    path: Path, role: str, enterprise: str | None, region: str | None, may_be: bool
) -> None:
    engine = open_engine(path)
    row = insert(accounts).values(**PERSON, role=role, enterprise=enterprise, region=region)
    try:
        with guarded(), engine.begin() as connection:
            connection.execute(row)
        assert may_be
    except IntegrityError:
        assert not may_be
    engine.dispose()


def test_a_register_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    with closing(Register.open(path)) as register:
        register.add_account(LI, PASSWORD, OPERATOR, NOW)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RegisterUnavailable, match="newer"):
        Register.open(path)
    assert len(list(read_audit(path))) == 1


@pytest.mark.parametrize("odd", ["a?b", "a#b", "a%20b", "熔 哨"])
def test_a_directory_may_be_called_anything(tmp_path: Path, odd: str) -> None:
    path = tmp_path / odd / "register.db"
    with closing(Register.open(path)) as register:
        register.order(PLANT, acknowledge(1), NOW)
    assert [one.name for one in tmp_path.iterdir()] == [odd]
    assert len(list(read_audit(path))) == 1


ORDERING = """
import sys
from contextlib import closing
from pathlib import Path
from meltwatch.register.register import Register
from tests.register.people import NOW, PLANT, acknowledge

with closing(Register.open(Path(sys.argv[1]))) as register:
    for number in range(int(sys.argv[2]), int(sys.argv[2]) + 20):
        register.order(PLANT, acknowledge(number), NOW)
"""


def test_two_processes_make_and_use_one_register(path: Path) -> None:
    told = [
        subprocess.Popen([sys.executable, "-c", ORDERING, str(path), str(first)], cwd=ROOT)
        for first in (100, 200)
    ]
    assert [one.wait(timeout=60) for one in told] == [0, 0]
    with closing(Register.open(path)) as register:
        orders = register.waiting(100)
    assert [one.seq for one in orders] == list(range(1, 41))
    rows = list(read_audit(path))
    assert [row.deed.subject for row in rows] == [one.command.id for one in orders]
    assert wrong_with(rows, Head(CHAIN)) == []


def test_opening_again_changes_nothing(path: Path) -> None:
    with closing(Register.open(path)) as register:
        register.add_account(LI, PASSWORD, OPERATOR, NOW)
    with closing(Register.open(path)) as register:
        assert register.accounts() == [LI]


def test_another_reads_the_chain_beside_the_writer(register: Register, path: Path) -> None:
    register.add_account(LI, PASSWORD, OPERATOR, NOW)
    with closing(Register.open(path)) as second:
        assert second.accounts() == [LI]
    assert len(list(read_audit(path))) == 1


def test_a_file_that_is_no_register_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"this is not a database, it is a page of a book" * 40)
    before = path.read_bytes()
    with pytest.raises(RegisterUnavailable):
        Register.open(path)
    assert path.read_bytes() == before


def test_a_register_that_is_damaged_while_it_is_open_says_so(path: Path) -> None:
    with closing(Register.open(path)) as register:
        register.order(PLANT, acknowledge(1), NOW)
    size = path.stat().st_size
    with closing(Register.open(path)) as register, path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (size - 100))
        file.flush()
        register._engine.dispose()
        with pytest.raises(RegisterUnavailable):
            register.accounts()


def test_a_place_where_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RegisterUnavailable):
        Register.open(tmp_path / "file" / "register.db")
