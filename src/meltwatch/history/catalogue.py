"""Which files count, and up to where the log is sealed: one SQLite file beside them.

A file counts from the transaction that registers it, the same that moves the sealed position or
takes away the files that it replaces: so nothing is sealed twice or skipped, and a reader sees the
old set or the new one, whatever crashed. WAL, synchronous FULL. One sealer writes; any number of
readers look on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from meltwatch.history import schema
from meltwatch.history.coverage import Coverage, Kept, union
from meltwatch.history.disk import SEGMENTS, sync_directory
from meltwatch.history.errors import (
    Damaged,
    NothingYet,
    OtherEnterprise,
    OutOfOrder,
    Unavailable,
    UnknownFormat,
)
from meltwatch.history.schema import APPLICATION_ID, VERSION

__all__ = ["FILE", "SEGMENTS", "Catalogue", "Derived", "Kind", "Segment", "View"]

FILE = "catalogue.sqlite"
BUSY_MS = 5_000
HOUR_MS = 3_600_000

Kind = Literal["segment", "delta", "hour"]
Derivation = Literal["minutes", "held"]
S = TypeVar("S", bound=msgspec.Struct)

_OF_VERSION_1 = {"hour": "NULL AS hour", "class_": "'' AS class_"}
_OF_VERSION_2 = {"class_": "class AS class_"}
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the catalogue; `path` is relative to the directory of the segments.

    `hour`: hours since 1970 of all its rows; None: a file of version 1, which may hold several.
    `class_`: the retention class of an `hour`. Positions and instants (ms UTC) are both included.
    `digest` is over the columns, `file_digest` over the `bytes` bytes of the file. `sealed_at`:
    owner's clock, ms UTC.
    """

    path: str
    kind: Kind
    pos_from: int
    pos_to: int
    at_from: int
    at_to: int
    rows: int
    digest: str
    bytes: int
    file_digest: str
    sealed_at: int
    hour: int | None = None
    class_: str = ""


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """A file that compaction made of an hour; `path` is relative to the folder of its kind."""

    path: str
    kind: Derivation
    hour: int
    class_: str
    rows: int
    bytes: int
    file_digest: str
    made_at: int


class View(msgspec.Struct, frozen=True):
    """What a catalogue says in one transaction: files and sealed position fit each other."""

    sealed_to: int
    segments: list[Segment]
    derived: list[Derived]


class Change(msgspec.Struct, kw_only=True):
    """Files that come and files that go, in one transaction; going files are then retired.

    `gone`, `gone_derived`: paths as in the rows. `horizons`: what retention removes:
    (raw or minutes, class) -> ms UTC before which nothing of it is left.
    """

    segments: list[Segment] = []
    derived: list[Derived] = []
    gone: list[str] = []
    gone_derived: list[tuple[Derivation, str]] = []
    horizons: dict[tuple[str, str], int] = {}


class Catalogue:
    """The catalogue of a directory; close it after use."""

    def __init__(self, directory: Path, enterprise: str | None = None) -> None:
        """Open it: with an enterprise for writing, made if need be, without one for reading.

        Raises `Unavailable` (for a reader also: nothing is there yet), `UnknownFormat`,
        `OtherEnterprise`, `Damaged`.
        """
        self.path = directory / FILE
        self._version = VERSION
        with _guarded(self.path):
            self._connection = _connect(self.path, "rw" if enterprise is None else "rwc")
            try:
                self._begin(enterprise)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def sealed_to(self) -> int:
        """Return the last position that is sealed, 0 if none."""
        return int(self._one("SELECT pos FROM sealed") or 0)

    def enterprise(self) -> str:
        """Return whose history this is; empty before its sealer has begun."""
        return str(self._one("SELECT enterprise FROM sealed") or "")

    def generation(self) -> int:
        """Return how often files have been replaced."""
        return int(self._one("SELECT last FROM generation") or 0)

    def view(self, at_from: int | None = None, at_to: int | None = None) -> View:
        """Return the files that reach into `[at_from, at_to]` (ms UTC), as they are together."""
        with _guarded(self.path), self._transaction("BEGIN"):
            hours = [None if at is None else at // HOUR_MS for at in (at_from, at_to)]
            return View(self.sealed_to(), self.segments(at_from, at_to), self.derived(*hours))

    def segments(self, at_from: int | None = None, at_to: int | None = None) -> list[Segment]:
        """Return the segments that reach into `[at_from, at_to]` (ms UTC), in the log's order.

        At one position a `segment` comes before its `delta`.
        """
        return self._all(
            Segment,
            "segments WHERE (?1 IS NULL OR at_to >= ?1) AND (?2 IS NULL OR at_from <= ?2) "
            "ORDER BY pos_from, kind DESC, path",
            (at_from, at_to),
        )

    def of_hour(self, hour: int | None) -> list[Segment]:
        """Return the segments of an hour; None: those of version 1, which may hold several."""
        return self._all(Segment, "segments WHERE hour IS ? ORDER BY pos_from, path", (hour,))

    def late(self, before: int) -> list[Segment]:
        """Return the files not compacted yet that end before an instant (ms UTC)."""
        return self._all(Segment, "segments WHERE kind <> 'hour' AND at_to < ?", (before,))

    def open_hours(self) -> list[tuple[int | None, int]]:
        """Return the hours that hold files not compacted yet, and how many, ascending."""
        hour = "hour" if self._version > 1 else "NULL"
        sql = (
            f"SELECT {hour} AS h, count(*) FROM segments "  # noqa: S608  # our own names
            "WHERE kind <> 'hour' GROUP BY h ORDER BY h"
        )
        with _guarded(self.path):
            return list(self._connection.execute(sql))

    def derived(self, hour_from: int | None = None, hour_to: int | None = None) -> list[Derived]:
        """Return what is derived of the hours between, both included, by hour."""
        if self._version == 1:
            return []
        return self._all(
            Derived,
            "derived WHERE (?1 IS NULL OR hour >= ?1) AND (?2 IS NULL OR hour <= ?2) "
            "ORDER BY hour, kind, class",
            (hour_from, hour_to),
        )

    def held(self, hour: int, *, after: bool = False) -> Derived | None:
        """Return the latest `held` at or before an hour, or the first one after it."""
        if self._version == 1:
            return None
        which = "hour > ? ORDER BY hour" if after else "hour <= ? ORDER BY hour DESC"
        found = self._all(Derived, f"derived WHERE kind = 'held' AND {which} LIMIT 1", (hour,))
        return found[0] if found else None

    def newest(self) -> dict[str, int]:
        """Return for each point the latest instant that is sealed of it, ms UTC."""
        with _guarded(self.path):
            return dict(self._connection.execute("SELECT point, newest FROM points"))

    def coverage(self) -> Coverage:
        """Return what the sealed frames say is complete and lost, by source."""
        found: Coverage = {}
        if self._version == 1:
            return found
        with _guarded(self.path):
            rows = self._connection.execute("SELECT * FROM coverage ORDER BY 1, 2, 3")
            for source, state, begins, ends in rows:
                found.setdefault((source, state), []).append((begins, ends))
        return found

    def horizons(self) -> dict[tuple[str, str], int]:
        """Return before when (ms UTC) retention has removed which (kind, class)."""
        if self._version == 1:
            return {}
        with _guarded(self.path):
            rows = self._connection.execute("SELECT kind, class, before FROM horizons")
            return {(kind, name): before for kind, name, before in rows}

    def retired(self) -> dict[str, int]:
        """Return the files that were replaced and since when, by path from the directory."""
        with _guarded(self.path):
            return dict(self._connection.execute("SELECT path, since FROM retired"))

    def register(
        self,
        segments: Sequence[Segment],
        newest: Mapping[str, int],
        sealed: tuple[int, int],
        coverage: Coverage | None = None,
    ) -> None:
        """Make segments count and move the sealed position from `sealed[0]` to `sealed[1]`.

        One transaction. `newest`: of the points whose latest instant moved; `coverage`: what the
        frames say. The files must be durable already. Raises `OutOfOrder` if the log is sealed up
        to elsewhere.
        """
        with _guarded(self.path), self._transaction():
            if self.sealed_to() != sealed[0] or sealed[1] <= sealed[0]:
                raise OutOfOrder(self.sealed_to(), sealed[1])
            self._insert("segments", segments)
            self._connection.executemany(
                "INSERT INTO points VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET newest = max(newest, excluded.newest)",
                newest.items(),
            )
            for key, intervals in (coverage or {}).items():
                self._cover(*key, intervals)
            self._connection.execute("UPDATE sealed SET pos = ?", (sealed[1],))

    def replace(self, change: Change, now: int) -> None:
        """Let files come and go together; `now` (ms UTC) is since when those gone are retired."""
        gone = [f"{SEGMENTS}/{path}" for path in change.gone]
        gone += [f"{kind}/{path}" for kind, path in change.gone_derived]
        with _guarded(self.path), self._transaction():
            run = self._connection.executemany
            run("DELETE FROM segments WHERE path = ?", [(path,) for path in change.gone])
            run("DELETE FROM derived WHERE kind = ? AND path = ?", change.gone_derived)
            run("INSERT INTO retired VALUES (?, ?)", [(path, now) for path in gone])
            self._insert("segments", change.segments)
            self._insert("derived", change.derived)
            run(
                "INSERT INTO horizons VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET before = max(before, excluded.before)",
                [(*key, before) for key, before in change.horizons.items()],
            )
            self._connection.execute("UPDATE generation SET last = last + 1")

    def forget_retired(self, paths: Iterable[str]) -> None:
        """Forget retired files whose bytes are gone."""
        with _guarded(self.path), self._transaction():
            self._connection.executemany(
                "DELETE FROM retired WHERE path = ?", [(path,) for path in paths]
            )

    def _one(self, sql: str) -> Any:
        with _guarded(self.path):
            row = self._connection.execute(sql).fetchone()
        return row[0] if row else None

    def _all(self, shape: type[S], rest: str, asked: tuple[object, ...]) -> list[S]:
        fields = shape.__struct_fields__
        named = _OF_VERSION_1 if self._version == 1 else _OF_VERSION_2
        columns = ", ".join(named.get(field, field) for field in fields)
        with _guarded(self.path):
            rows = self._connection.execute(f"SELECT {columns} FROM {rest}", asked).fetchall()  # noqa: S608  # our own names
        return [shape(**dict(zip(fields, row, strict=True))) for row in rows]

    def _insert(self, table: str, rows: Sequence[msgspec.Struct]) -> None:
        for row in rows:
            fields = ", ".join(name.rstrip("_") for name in row.__struct_fields__)
            marks = ", ".join("?" * len(row.__struct_fields__))
            self._connection.execute(
                f"INSERT INTO {table} ({fields}) VALUES ({marks})",  # noqa: S608  # likewise
                msgspec.structs.astuple(row),
            )

    def _cover(self, source: str, state: Kept, intervals: Sequence[tuple[int, int]]) -> None:
        """Join intervals with those kept that they touch."""
        run = self._connection.execute
        for begins, ends in intervals:
            touching = run(
                "SELECT begins, ends FROM coverage WHERE source = ? AND state = ? "
                "AND begins <= ? AND ends >= ?",
                (source, state, ends, begins),
            ).fetchall()
            run(
                "DELETE FROM coverage WHERE source = ? AND state = ? AND begins <= ? AND ends >= ?",
                (source, state, ends, begins),
            )
            for one in union([*touching, (begins, ends)]):
                run("INSERT INTO coverage VALUES (?, ?, ?, ?)", (source, state, *one))

    def _begin(self, enterprise: str | None) -> None:
        connection = self._connection
        if enterprise is None:
            connection.execute("PRAGMA query_only = ON")
            if not schema.has_tables(connection):
                raise NothingYet(str(self.path), "empty")
            self._expect()
            return
        # The stamp is part of the transaction: a file without one holds nothing yet.
        if schema.stamp(connection) == (0, 0) and not schema.has_tables(connection):
            connection.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                schema.make(connection, enterprise)
            sync_directory(self.path.parent)
        self._expect()
        connection.execute("PRAGMA synchronous = FULL")
        if self.enterprise() != enterprise:
            raise OtherEnterprise(str(self.path.parent), self.enterprise(), enterprise)
        if self._version == 1:
            with self._transaction():
                schema.bring_up(connection)
            self._version = VERSION

    def _expect(self) -> None:
        application, version = schema.stamp(self._connection)
        if application != APPLICATION_ID or not 1 <= version <= VERSION:
            found = version if application == APPLICATION_ID else 0
            raise UnknownFormat(str(self.path), found, VERSION)
        self._version = version

    @contextmanager
    def _transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
        self._connection.execute(begin)
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite has already rolled back after some errors (a full disk among them).
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise


@contextmanager
def _guarded(place: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", -1) & 0xFF in _BROKEN:
            raise Damaged(str(place), str(error)) from error
        raise Unavailable(str(place), str(error)) from error
    except OSError as error:
        raise Unavailable(str(place), str(error)) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Readers open `rw` too: with `ro` SQLite cannot recover what a crash left in the WAL.
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
