"""The audit chain `web`: written in the transaction of the change, read by whoever checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Connection, insert, select

from meltwatch.audit.chain import Deed, Head, Row, following, head_after, row_of
from meltwatch.model.encoding import decode, encode
from meltwatch.register.database import guarded, open_reader
from meltwatch.register.tables import audit, heads

CHAIN = "web"
OTHER = "core"
READ_AT_ONCE = 1_000


def head_of(connection: Connection) -> Head:
    """Return the end of the chain."""
    last = connection.execute(select(audit).order_by(audit.c.number.desc()).limit(1)).first()
    return Head(CHAIN) if last is None else head_after(row_of(last.data, CHAIN, last.number))


def write(connection: Connection, deed: Deed) -> Head:
    """Add a deed to the chain, with the other chain's newest known head; return the new end."""
    row = following(head_of(connection), msgspec.structs.replace(deed, other=other_of(connection)))
    connection.execute(insert(audit).values(number=row.number, data=encode(row)))
    return head_after(row)


def other_of(connection: Connection) -> Head | None:
    """Return the newest known head of the core's chain."""
    found = connection.execute(select(heads.c.data).where(heads.c.chain == OTHER)).scalar()
    return None if found is None else decode(found, Head)


def note_other(connection: Connection, head: Head) -> None:
    """Keep the core's head, if it is newer than the one that is known."""
    known = other_of(connection)
    if head.number == 0:
        return  # an answer without the core: nothing is known of its chain
    if known is None:
        connection.execute(insert(heads).values(chain=OTHER, data=encode(head)))
    elif head.number > known.number:
        connection.execute(heads.update().where(heads.c.chain == OTHER).values(data=encode(head)))


def read_audit(path: Path) -> Iterator[Row]:
    """Yield the rows of a register's chain in order, beside whoever writes it.

    Raises RegisterUnavailable.
    """
    engine = open_reader(path)
    try:
        after = 0
        while True:
            with guarded(), engine.connect() as connection:
                asked = select(audit).where(audit.c.number > after).order_by(audit.c.number)
                found = connection.execute(asked.limit(READ_AT_ONCE)).all()
            for one in found:
                after = one.number
                yield row_of(one.data, CHAIN, one.number)
            if not found:
                return
    finally:
        engine.dispose()
