"""Records to seal, and a plain twin that says row by row what must be sealed of them."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from meltwatch.evaluate.signal import Sample, ruling
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.log import Mark, SamplesRecord
from meltwatch.model.quality import Quality
from meltwatch.model.sample import batch_of

PLANT = EnterpriseId("plant")
Told = tuple[str, int, float, int]
Sent = tuple[str, int, int]
Log = list[tuple[int, SamplesRecord]]
DOCUMENT = Path(__file__).parents[2] / "docs" / "formats" / "segment.md"


def record(
    seq: int, rows: list[tuple[str, int, float, int]], *, epoch: str = "e1", mark: Mark = "real"
) -> SamplesRecord:
    """Return a frame with these rows."""
    return SamplesRecord(
        received_at=0,
        source=SourceId("gateway"),
        epoch=EpochId(epoch),
        seq=seq,
        complete_from=0,
        complete_to=1,
        samples=batch_of((PointCode(row[0]), *row[1:]) for row in rows),
        mark=mark,
    )


def random_log(seed: int, frames: int) -> Log:
    """Return a long log with repeats, corrections, late rows and test frames; same seed, same."""
    chance = random.Random(seed)
    log: Log = []
    for seq in range(1, frames + 1):
        rows = [
            (
                f"u/{chance.randint(1, 5)}",
                max(0, seq - (chance.randint(0, 40) if chance.random() < 0.2 else 0)) * 100,
                float(chance.randint(0, 2)),
                chance.choice([0, 0, 0, 1, 2]),
            )
            for _ in range(chance.randint(0, 8))
        ]
        mark: Mark = "test" if chance.random() < 0.1 else "real"
        log.append((seq * 2, record(seq, rows, mark=mark)))
    return log


def kept(log: Iterable[tuple[int, SamplesRecord]]) -> list[Told]:
    """Return the rows that must be sealed, each as (point, at, value, quality), in any order."""
    places: dict[tuple[str, int, bool], list[tuple[Sent, Told]]] = {}
    for _, frame in log:
        for nth, (point, at, value, quality) in enumerate(frame.samples.rows()):
            marked = quality | (Quality.TEST if frame.mark == "test" else 0)
            sent = (frame.epoch, frame.seq, nth)
            place = places.setdefault((point, at, bool(marked & Quality.TEST)), [])
            _hear(place, sent, (point, at, value, marked))
    return [told for place in places.values() for _, told in place]


def rulers(log: Iterable[tuple[int, SamplesRecord]]) -> dict[tuple[str, int], float]:
    """Return the real values that count, as the journey reads the whole log."""
    places: dict[tuple[str, int], list[Sample]] = {}
    for _, frame in log:
        for nth, (point, at, value, quality) in enumerate(frame.samples.rows()):
            if frame.mark == "real":
                sample = (at, (frame.epoch, frame.seq, nth), value, quality)
                places.setdefault((point, at), []).append(sample)
    told = {place: ruling(sorted(samples)) for place, samples in places.items()}
    return {place: value for place, value in told.items() if value is not None}


def _hear(place: list[tuple[Sent, Told]], sent: Sent, row: Told) -> None:
    if not place:
        place.append((sent, row))
        return
    since, rules = max(place)
    equal = [other for _, other in place if other[2] == row[2]]
    heals = not row[3] & Quality.BAD and all(other[3] & Quality.BAD for other in equal)
    if sent > since and (heals or row[2] != rules[2]):
        place.append((sent, (*row[:3], row[3] | Quality.CORRECTED)))
    elif sent < since and (heals or not equal):
        place.append((sent, row))


def snippets() -> list[str]:
    """Return the SQL of the document, in its order."""
    return re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)


def differences(directory: Path, told: Iterable[Told]) -> list[tuple[object, ...]]:
    """Return what plain DuckDB, with the document's words, finds to differ."""
    own = directory / "told.csv"
    with own.open("w", newline="") as file:
        csv.writer(file).writerows([("point", "at", "value", "quality"), *told])
    return ask(directory, snippets()[1])


def ask(directory: Path, sql: str) -> list[tuple[object, ...]]:
    """Run a snippet of the document over a directory and return what its last query says."""
    placed = sql.replace("'segments/", f"'{directory}/segments/")
    placed = placed.replace("'told.csv'", f"'{directory}/told.csv'")
    with duckdb.connect(config={"threads": 1}) as connection:
        rows: list[tuple[object, ...]] = connection.execute(placed).fetchall()
    return rows


def cut(log: Log, ends: set[int]) -> Iterator[tuple[int, SamplesRecord, bool]]:
    """Yield the log, saying after which records to seal."""
    for nth, (pos, frame) in enumerate(log):
        yield pos, frame, nth in ends
