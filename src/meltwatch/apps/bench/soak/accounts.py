"""The instruments' notes against log and segments: what was lost, and what is there twice.

A frame completes an interval of its source's time: every cycle in it that the instrument told must
be sealed, whole. What lies between intervals, a killed gateway had not taken yet; `lost` intervals
it has told of. Plain SQLite and DuckDB; of the product only the encoding of a record is used.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from meltwatch.apps.bench.checks import alarm_events
from meltwatch.apps.bench.plant import Works

Interval = tuple[int, int]


class Account(msgspec.Struct, kw_only=True):
    """All of it in samples, but for `frames_out_of_step` and `occurrences`."""

    told: int = 0
    promised: int = 0
    """Of those told: in an interval that the log says is complete."""
    lost: int = 0
    doubled: int = 0
    foreign: int = 0
    """Sealed, and told by no instrument or with another value."""
    frames: int = 0
    frames_out_of_step: int = 0
    occurrences: int = 0


def account_of(works: Works, data: Path, notes: Sequence[Path]) -> Account:
    """Settle the accounts of a soak whose processes have ended."""
    account = Account()
    covered = _covered(data / "ledger", account)
    sealed = _sealed(data)
    for gateway, path in enumerate(notes):
        _settle(works, gateway, path, covered[works.gateway(gateway)], sealed, account)
    raised = Counter(
        one["occurrence"]["id"] for one in alarm_events(data / "ledger") if one["told"] == "raised"
    )
    account.occurrences = len(raised)
    account.doubled += sum(count - 1 for count in raised.values())
    return account


def _covered(ledger: Path, account: Account) -> dict[str, list[Interval]]:
    """Return what each gateway's frames complete; count those that do not join the one before."""
    covered: dict[str, list[Interval]] = defaultdict(list)
    last: dict[str, tuple[int, int]] = {}
    for source, seq, record in _frames(ledger):
        account.frames += 1
        begin, end = record["complete_from"], record["complete_to"]
        number, reached = last.get(source, (0, begin))
        if seq != number + 1 or begin != reached:
            account.frames_out_of_step += 1
        last[source] = (seq, end)
        lost = [(begin, end) for begin, end in record["lost"]]
        covered[source.rpartition("/")[0]] += _without((begin, end), lost)
    return covered


def _frames(ledger: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield source, number and record of every frame, by source and number."""
    files = sorted(ledger.glob("log-*.sqlite"))
    found: list[tuple[str, int, dict[str, Any]]] = []
    for path in files:
        with closing(sqlite3.connect(path)) as log:
            for source, seq, data in log.execute(
                "SELECT source, seq, data FROM entries WHERE kind = 'samples'"
            ):
                record = msgspec.msgpack.decode(memoryview(data)[1:])
                kept = {name: record[name] for name in ("complete_from", "complete_to")}
                found.append((source, seq, {**kept, "lost": record.get("lost", [])}))
    yield from sorted(found, key=lambda one: one[:2])


def _without(whole: Interval, lost: Sequence[Interval]) -> list[Interval]:
    parts, begin = list[Interval](), whole[0]
    for gone in sorted(lost):
        parts.append((begin, min(gone[0], whole[1])))
        begin = max(begin, gone[1])
    parts.append((begin, whole[1]))
    return [one for one in parts if one[0] < one[1]]


def _sealed(data: Path) -> dict[tuple[str, int], tuple[int, int, int]]:
    """Return rows, points and the sum in tenths of every gateway's instant in the segments."""
    paths = [str(one) for one in sorted(data.glob("history/*/segments/*.parquet"))]
    if not paths:
        return {}
    with duckdb.connect(config={"threads": 2}) as connection:
        rows = connection.execute(
            'SELECT source, "at", count(*), count(DISTINCT point), '
            "sum(round(value * 10)::BIGINT)::BIGINT FROM read_parquet($paths) GROUP BY 1, 2",
            {"paths": paths},
        ).fetchall()
    return {(source, at): (count, points, total) for source, at, count, points, total in rows}


def _settle(
    works: Works,
    gateway: int,
    notes: Path,
    covered: Sequence[Interval],
    sealed: dict[tuple[str, int], tuple[int, int, int]],
    account: Account,
) -> None:
    name, each = works.gateway(gateway), works.points_a_gateway
    cycles = [int(line) for line in notes.read_bytes().splitlines() if line.isdigit()]
    ends = {(cycle + 1) * works.period_ms: cycle for cycle in cycles}
    account.told += len(ends) * each
    promised = {at for at in ends if any(begin < at <= end for begin, end in covered)}
    account.promised += len(promised) * each
    for at in promised:
        rows, points, _ = sealed.get((name, at), (0, 0, 0))
        account.lost += each - points
        account.doubled += rows - points
    for (source, at), (rows, _, total) in sealed.items():
        if source != name:
            continue
        if at not in ends or (rows == each and total != int(works.tenths(gateway, ends[at]).sum())):
            account.foreign += rows
