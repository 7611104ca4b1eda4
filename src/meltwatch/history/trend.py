"""A point over a window, thinned to a screen's width: sealed segments, and what is not sealed yet.

Queried by DuckDB, in one thread. No extreme is lost: each step tells the least, the greatest and
the last value in it. Which row of one instant rules is as in docs/formats/segment.md.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from meltwatch.history.catalogue import FILE, SEGMENTS, Catalogue
from meltwatch.history.errors import Damaged
from meltwatch.ledger.errors import Truncated
from meltwatch.ledger.port import StreamReader
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import EnterpriseId, PointCode
from meltwatch.model.log import SamplesRecord
from meltwatch.model.quality import Quality

READ_AT_ONCE = 500
TRIES = 3
MOST_ENTRIES = 50_000
"""How much of the log behind the sealed is read at most: the sealer is far behind then, and what
comes later is told as blind."""
LIMITS: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "memory_limit": "512MB"}

_TAIL = pa.schema(
    [
        ("at", pa.int64()),
        ("value", pa.float64()),
        ("quality", pa.uint16()),
        ("epoch", pa.string()),
        ("seq", pa.int64()),
        ("nth", pa.int32()),
    ]
)
_RULING = """
CREATE TEMP TABLE ruling AS
WITH every AS (
    SELECT "at", value, quality, epoch, seq, nth FROM sealed
    WHERE point = $point AND "at" BETWEEN $reach AND $at_to AND quality & $test = 0
    UNION ALL SELECT * FROM tail
)
SELECT "at", CASE WHEN isnan(value) THEN NULL
    WHEN bool_or(quality & $bad = 0) OVER (PARTITION BY "at", value) THEN value END AS value
FROM every
QUALIFY row_number() OVER (PARTITION BY "at" ORDER BY epoch DESC, seq DESC, nth DESC) = 1
"""
_STEPS = """
SELECT max("at"), min(value), max(value), arg_max_null(value, "at") FROM ruling
WHERE "at" >= $at_from
GROUP BY ("at" - $at_from) * $width // ($at_to - $at_from + 1) ORDER BY 1
"""
_FIRST = """SELECT min("at") FROM ruling WHERE value IS NOT NULL"""
_HOLES = """
SELECT began, ended FROM (
    SELECT "at" AS began, lead("at", 1, $until) OVER (ORDER BY "at") AS ended FROM ruling
    WHERE value IS NOT NULL
) WHERE ended - began > $stale ORDER BY began
"""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a point: `[at_from, at_to]` (ms UTC) in at most `width` steps.

    `stale_ms`: after how long without a value the point is stale; None: never. `now`: nothing is
    asked beyond it; None: beyond `at_to`.
    """

    at_from: int
    at_to: int
    width: int
    stale_ms: int | None = None
    now: int | None = None

    @property
    def reach(self) -> int:
        """Return from where on a value may still hold in the window."""
        return self.at_from - (self.stale_ms or 0)

    @property
    def until(self) -> int:
        """Return where what is asked ends."""
        return self.at_to if self.now is None else min(self.at_to, self.now)


class TrendColumns(msgspec.Struct, frozen=True, kw_only=True):
    """A point by step, columns of one length; a step without a sample is left out.

    `at`: the step's last instant, ms UTC. None: no good or uncertain value in it (`last`: the
    last sample is bad). `blind`: `[from, to]` in which the point was stale, or nothing is known.
    """

    at: tuple[int, ...]
    least: tuple[float | None, ...]
    most: tuple[float | None, ...]
    last: tuple[float | None, ...]
    blind: tuple[tuple[int, int], ...]


def trend(
    directory: Path,
    reader: StreamReader,
    enterprise: EnterpriseId,
    point: PointCode,
    window: Window,
) -> TrendColumns:
    """Return a point over a window; raises what history and ledger raise about their files."""
    paths, tail, read_to = _found(directory, reader, enterprise, point, window)
    with duckdb.connect(config=LIMITS) as connection:
        connection.register("tail", tail)
        try:
            rows, blind = _asked(connection, paths, point, window)
        except duckdb.IOException as error:
            raise Damaged(str(directory / SEGMENTS), str(error)) from error
    if read_to is not None and read_to < window.until:
        unread = (max(read_to, window.at_from), window.until)
        blind = [*(one for one in blind if one[0] < read_to), unread]
    at, least, most, last = zip(*rows, strict=True) if rows else ((), (), (), ())
    return TrendColumns(at=at, least=least, most=most, last=last, blind=tuple(blind))


def _asked(
    connection: duckdb.DuckDBPyConnection, paths: list[Path], point: PointCode, window: Window
) -> tuple[list[tuple[int, float | None, float | None, float | None]], list[tuple[int, int]]]:
    """Return the steps, and where the point was stale; the files are read once."""
    if paths:
        connection.read_parquet([str(path) for path in paths]).create_view("sealed")
    else:
        empty = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _SEALED.items())
        connection.execute(f"CREATE VIEW sealed AS SELECT {empty} WHERE false")
    connection.execute(
        _RULING,
        {
            "point": point,
            "reach": window.reach,
            "at_to": window.at_to,
            "bad": int(Quality.BAD),
            "test": int(Quality.TEST),
        },
    )
    steps = {"at_from": window.at_from, "at_to": window.at_to, "width": window.width}
    return connection.execute(_STEPS, steps).fetchall(), _blind(connection, window)


def _found(
    directory: Path,
    reader: StreamReader,
    enterprise: EnterpriseId,
    point: PointCode,
    window: Window,
) -> tuple[list[Path], pa.Table, int | None]:
    """Return the segments of a window, what of the log is not in them, and how far that reaches.

    The sealer and retention go on meanwhile: what was sealed and removed in between is looked for
    among the segments again.
    """
    paths, sealed_to = _sealed(directory, window)
    for _ in range(TRIES):
        try:
            return paths, *_tail(reader, enterprise, point, (sealed_to, window.at_to))
        except Truncated as gone:
            paths, newer = _sealed(directory, window)
            # Removed before it was sealed: what is left is still worth showing.
            sealed_to = newer if newer > sealed_to else gone.first - 1
    return paths, *_tail(reader, enterprise, point, (reader.end(enterprise), window.at_to))


_SEALED = {
    "point": "VARCHAR",
    '"at"': "BIGINT",
    "value": "DOUBLE",
    "quality": "USMALLINT",
    "epoch": "VARCHAR",
    "seq": "BIGINT",
    "nth": "INTEGER",
}


def _blind(connection: duckdb.DuckDBPyConnection, window: Window) -> list[tuple[int, int]]:
    """Return where the point had no value for longer than it may."""
    if window.stale_ms is None:
        return []
    first = connection.execute(_FIRST).fetchone()
    begun = window.until if first is None or first[0] is None else int(first[0])
    asked = {"until": window.until, "stale": window.stale_ms}
    found = [(window.at_from, begun)]
    for began, ended in connection.execute(_HOLES, asked).fetchall():
        found.append((max(began + window.stale_ms, window.at_from), ended))
    return [one for one in found if one[0] < one[1]]


def _sealed(directory: Path, window: Window) -> tuple[list[Path], int]:
    """Return the segments that reach into a window, and the position up to which they are all.

    What is sealed meanwhile is left out: it is read from the log.
    """
    if not (directory / FILE).exists():
        return [], 0  # nothing has been sealed here yet
    catalogue = Catalogue(directory)
    try:
        sealed_to = catalogue.sealed_to()
        found = catalogue.segments(window.reach, window.at_to)
    finally:
        catalogue.close()
    return [directory / SEGMENTS / one.path for one in found if one.pos_to <= sealed_to], sealed_to


def _tail(
    reader: StreamReader, enterprise: EnterpriseId, point: PointCode, between: tuple[int, int]
) -> tuple[pa.Table, int | None]:
    """Return the point's rows behind a position, up to an instant, that are not sealed yet.

    Beside them how far they reach, if that is not the end of the log.
    """
    after, at_to = between
    columns: dict[str, list[object]] = {name: [] for name in _TAIL.names}
    reached: int | None = None
    for _ in range(0, MOST_ENTRIES, READ_AT_ONCE):
        entries = reader.read(enterprise, after, READ_AT_ONCE)
        for stored in entries:
            after = stored.pos
            record = record_of(stored.data) if stored.kind == "samples" else None
            if isinstance(record, SamplesRecord) and record.mark == "real":
                reached = record.complete_to
                _take(columns, record, point, at_to)
        if len(entries) < READ_AT_ONCE:
            return pa.table(columns, schema=_TAIL), None
    return pa.table(columns, schema=_TAIL), reached


def _take(
    columns: dict[str, list[object]], record: SamplesRecord, point: PointCode, at_to: int
) -> None:
    samples = record.samples
    if point not in samples.layout:
        return
    places = (samples.point == samples.layout.index(point)) & (samples.at <= at_to)
    for row in places.nonzero()[0].tolist():
        columns["at"].append(int(samples.at[row]))
        columns["value"].append(float(samples.value[row]))
        columns["quality"].append(int(samples.quality[row]))
        columns["epoch"].append(record.epoch)
        columns["seq"].append(record.seq)
        columns["nth"].append(row)
