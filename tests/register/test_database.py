"""The register's file: its tables are those of the models, and what cannot be opened says so."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from meltwatch.register.audit import read_audit
from meltwatch.register.database import open_engine
from meltwatch.register.errors import RegisterUnavailable
from meltwatch.register.register import Register
from meltwatch.register.tables import metadata
from tests.register.people import LI, NOW, OPERATOR, PASSWORD


def test_the_migrations_make_the_tables_that_the_models_name(path: Path) -> None:
    engine = open_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert len(inspect(connection).get_table_names()) == len(metadata.tables) + 1
        found = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert (found, connection.exec_driver_sql("PRAGMA synchronous").scalar()) == ("wal", 2)
    engine.dispose()


def test_opening_again_changes_nothing(path: Path) -> None:
    with closing(Register.open(path)) as register:
        register.add_account(LI, PASSWORD, OPERATOR, NOW)
    with closing(Register.open(path)) as register:
        assert register.accounts() == [LI]


def test_another_process_reads_the_chain_beside_the_writer(register: Register, path: Path) -> None:
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


def test_a_place_where_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RegisterUnavailable):
        Register.open(tmp_path / "file" / "register.db")
