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
EPOCHS = ("e1", "e2", "e3")
STEP_MS = 60_000
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
    """Return a long log with repeats, corrections, late rows and test frames; same seed, same.

    A frame a minute; three epochs drain beside each other, numbers dense in each.
    """
    chance = random.Random(seed)
    seqs = dict.fromkeys(EPOCHS, 0)
    log: Log = []
    for nth in range(1, frames + 1):
        rows = [
            (
                f"u/{chance.randint(1, 5)}",
                max(0, nth - (chance.randint(0, 40) if chance.random() < 0.2 else 0)) * STEP_MS
                + chance.choice([0, 0, 7_000, 59_999]),
                float(chance.randint(0, 2)),
                chance.choice([0, 0, 0, 1, 2]),
            )
            for _ in range(chance.randint(0, 8))
        ]
        mark: Mark = "test" if chance.random() < 0.1 else "real"
        epoch = chance.choice(EPOCHS)
        seqs[epoch] += 1
        log.append((nth * 2, record(seqs[epoch], rows, epoch=epoch, mark=mark)))
    return log


def kept(log: Iterable[tuple[int, SamplesRecord]]) -> list[Told]:
    """Return what history must hold, each as (point, at, value, quality), in any order.

    Row by row and place by place, from the whole log at once: no seal, no order of arrival.
    """
    places: dict[tuple[str, int, bool], list[tuple[Sent, Told]]] = {}
    for _, frame in log:
        for nth, (point, at, value, quality) in enumerate(frame.samples.rows()):
            marked = quality | (Quality.TEST if frame.mark == "test" else 0)
            sent = (frame.epoch, frame.seq, nth)
            place = places.setdefault((point, at, bool(marked & Quality.TEST)), [])
            place.append((sent, (point, at, value, marked)))
    return [told for place in places.values() for told in _held(place)]


def _held(place: list[tuple[Sent, Told]]) -> Iterator[Told]:
    """Yield one row for each value told at a place; the last sent of several is the correction."""
    _, (*_, rules, _) = max(place)
    values = {row[2] for _, row in place}
    for value in values:
        equal = [(sent, row) for sent, row in place if row[2] == value]
        best = min((row[3] for _, row in equal), key=_goodness)
        if len(values) > 1:
            best = best & ~Quality.CORRECTED | (Quality.CORRECTED if value == rules else 0)
        yield (*max(equal)[1][:3], int(best))


def _goodness(quality: int) -> tuple[bool, bool, int, bool]:
    bits = Quality(quality)
    plain = int(bits & ~Quality.CORRECTED)
    return Quality.BAD in bits, Quality.UNCERTAIN in bits, plain, Quality.CORRECTED in bits


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


def snippets() -> dict[str, str]:
    """Return the SQL of the document by what it makes: `held`, `ruling`, `told`, `metadata`."""
    found = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    return {(re.findall(r"CREATE VIEW (\w+)", one) or ["metadata"])[0]: one for one in found}


def differences(directory: Path, told: Iterable[Told]) -> list[tuple[object, ...]]:
    """Return what plain DuckDB, with the document's words, finds to differ."""
    own = directory / "told.csv"
    with own.open("w", newline="") as file:
        csv.writer(file).writerows([("point", "at", "value", "quality"), *told])
    return ask(directory, snippets()["held"] + snippets()["told"])


def ask(directory: Path, sql: str) -> list[tuple[object, ...]]:
    """Run snippets of the document over a directory and return what the last query says."""
    placed = sql.replace("'segments/", f"'{directory}/segments/")
    placed = placed.replace("'minutes/", f"'{directory}/minutes/")
    placed = placed.replace("'told.csv'", f"'{directory}/told.csv'")
    with duckdb.connect(config={"threads": 1}) as connection:
        rows: list[tuple[object, ...]] = connection.execute(placed).fetchall()
    return rows


def cut(log: Log, ends: set[int]) -> Iterator[tuple[int, SamplesRecord, bool]]:
    """Yield the log, saying after which records to seal."""
    for nth, (pos, frame) in enumerate(log):
        yield pos, frame, nth in ends
