"""The generator's ledger against what the server has: plain DuckDB and plain SQLite, no server.

Of the product only the encoding of an effect is used: MessagePack behind a version byte.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from meltwatch.apps.bench.load import Lane
from meltwatch.apps.bench.plant import Expected
from meltwatch.apps.bench.server import Server
from meltwatch.apps.bench.verdict import Checked


def check_all(
    server: Server, lanes: Sequence[Lane], *, may_lack_frames: bool = False
) -> list[Checked]:
    """Compare log, segments and occurrences of a server that has ended with what lanes told.

    `may_lack_frames`: live frames were made that the server did not take in time; what they would
    lead to may have been published under grace, or not.
    """
    checked = [*check_log(server.ledger, lanes)]
    if not server.alone:
        checked += check_segments(server, lanes)
    may: list[Expected] = []
    if may_lack_frames:  # a delay that was running at the end is published under grace too
        may = [one for lane in lanes for one in lane.expected(lane.made + frames_in(lane))]
    return [*checked, *check_occurrences(server.ledger, expected_of(lanes), may)]


def frames_in(lane: Lane) -> int:
    """Return how many frames an on-delay lasts."""
    return -(-lane.works.on_delay_ms // lane.works.frame_ms)


def expected_of(lanes: Iterable[Lane]) -> list[Expected]:
    """Return every occurrence that the acknowledged frames lead to."""
    return [one for lane in lanes for one in lane.expected(lane.acknowledged)]


def check_log(ledger: Path, lanes: Sequence[Lane]) -> Iterator[Checked]:
    """Compare the numbers in the log with those acknowledged: dense, each once."""
    stored: dict[str, tuple[int, int]] = {}
    for path in sorted(ledger.glob("log-*.sqlite")):
        with closing(sqlite3.connect(path)) as log:
            for source, count, last in log.execute(
                "SELECT source, count(*), max(seq) FROM entries WHERE kind = 'samples' GROUP BY 1"
            ):
                had = stored.get(source, (0, 0))
                stored[source] = (had[0] + count, max(had[1], last))
    named = {f"{lane.works.gateway(lane.gateway)}/{lane.epoch}": lane for lane in lanes}
    wanted = {name: (one.acknowledged, one.acknowledged) for name, one in named.items()}
    frames = sum(count for count, _ in wanted.values())
    yield Checked("every acknowledged frame is in the log, once", stored == wanted, f"{frames}")


def check_segments(server: Server, lanes: Sequence[Lane]) -> Iterator[Checked]:
    """Compare counts and sums of every gateway's rows in the segments with those told."""
    paths = [str(one) for one in sorted(server.data.glob("history/*/segments/*.parquet"))]
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.read_parquet(paths).create_view("sealed")
        found = connection.execute(
            'SELECT source, count(*), count(DISTINCT (point, "at")), '
            "sum(round(value * 10)::BIGINT)::BIGINT FROM sealed GROUP BY 1"
        ).fetchall()
    sealed = {source: (count, places, total) for source, count, places, total in found}
    wanted: dict[str, tuple[int, int, int]] = {}
    for lane in lanes:
        name, (count, total) = lane.works.gateway(lane.gateway), lane.told(lane.acknowledged)
        had = wanted.get(name, (0, 0, 0))
        wanted[name] = (had[0] + count, had[1] + count, had[2] + total)
    rows = sum(one[0] for one in sealed.values())
    yield Checked("rows, places and sums in the segments", sealed == wanted, f"{rows} rows")


def check_occurrences(
    ledger: Path, expected: Sequence[Expected], may: Sequence[Expected] = ()
) -> Iterator[Checked]:
    """Compare the committed occurrences with those that must come: instants exact, none twice.

    `may`: those that may come beside them.
    """
    raised, returned = Counter[tuple[str, int]](), Counter[tuple[str, int, int]]()
    for event in alarm_events(ledger):
        one = event["occurrence"]
        if event["told"] == "raised":
            raised[one["condition"], one["raised"]] += 1
        if event["told"] == "returned":
            returned[one["condition"], one["raised"], one["returned"]] += 1
    must = Counter((one.condition, one.raised) for one in expected)
    over = Counter(
        (one.condition, one.raised, one.returned) for one in expected if one.returned is not None
    )
    seen = f"{raised.total()} raised, {must.total()} expected"
    beside = Counter((one.condition, one.raised) for one in may)
    well = must <= raised <= (must | beside)
    yield Checked("occurrences raised at their instants, once each", well, seen)
    seen = f"{returned.total()} returned, {over.total()} expected"
    yield Checked("occurrences returned at their instants", returned == over, seen)


def alarm_events(ledger: Path) -> Iterator[dict[str, Any]]:
    """Yield what was committed of occurrences, in order."""
    with closing(sqlite3.connect(ledger / "state.sqlite")) as state:
        for (data,) in state.execute("SELECT data FROM effects ORDER BY id"):
            told = msgspec.msgpack.decode(memoryview(data)[1:])
            if isinstance(told, dict) and told.get("type") == "alarm":
                yield told
