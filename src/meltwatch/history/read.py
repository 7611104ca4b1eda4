"""What is sealed, read without a query engine, and the check of every digest.

For tests, checks and people; queries go to the segments themselves (docs/formats/segment.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meltwatch.errors import Problem
from meltwatch.history.catalogue import HOUR_MS, SEGMENTS, Catalogue, Segment
from meltwatch.history.disk import open_parquet
from meltwatch.history.errors import Damaged, UnknownFormat
from meltwatch.history.rows import COLUMNS, Rows
from meltwatch.history.segment import (
    Facts,
    digest_of,
    digest_of_bytes,
    read_facts,
    rows_of,
)
from meltwatch.history.settle import merged


def segment_paths(
    directory: Path, at_from: int | None = None, at_to: int | None = None
) -> list[Path]:
    """Return the files that count and reach into `[at_from, at_to]` (ms UTC), in log order.

    Raises `Unavailable` if nothing has been sealed here, `UnknownFormat`, `Damaged`.
    """
    with _catalogue(directory) as catalogue:
        found = catalogue.segments(at_from, at_to)
    return [directory / SEGMENTS / segment.path for segment in found]


def read_rows(directory: Path) -> Rows:
    """Return what the segments of a directory hold together; raises as `read_segment`."""
    return merged([read_segment(path)[1] for path in segment_paths(directory)])


def read_segment(path: Path) -> tuple[Facts, Rows]:
    """Return what a segment says of itself, and its rows.

    Raises `UnknownFormat`, and `Damaged` if it is gone or cannot be read.
    """
    with open_parquet(path) as file:
        facts = read_facts(file.metadata, str(path))
        return facts, rows_of(file.read(columns=list(COLUMNS))).tidy()


def check(directory: Path) -> list[Problem]:
    """Return what is wrong with the sealed segments, each with its path; empty if nothing is.

    Checked: the bytes of each file, the rows of a segment against its own digest and against the
    catalogue, that none lies outside its hour, and none beyond where the log is sealed.
    """
    with _catalogue(directory) as catalogue:
        view, enterprise = catalogue.view(), catalogue.enterprise()
    found: list[Problem] = []
    for segment in view.segments:
        found += _wrong_with(directory / SEGMENTS / segment.path, segment, enterprise)
    for derived in view.derived:
        found += _bytes_wrong(directory, f"{derived.kind}/{derived.path}", derived.file_digest)
    for segment in view.segments:
        place = f"{SEGMENTS}/{segment.path}"
        hours = {segment.at_from // HOUR_MS, segment.at_to // HOUR_MS}
        if segment.hour is not None and hours != {segment.hour}:
            found.append(Problem(place, "history.outside_its_hour", {"hour": segment.hour}))
        if segment.pos_to > view.sealed_to:
            problem = Problem(place, "history.beyond_sealed", {"sealed_to": view.sealed_to})
            found.append(problem)
    return found


def _bytes_wrong(directory: Path, place: str, digest: str) -> list[Problem]:
    """Return what is wrong with the bytes of a file."""
    try:
        data = (directory / place).read_bytes()
    except OSError as error:
        return [Problem(place, "history.segment_unreadable", {"reason": str(error)})]
    if digest_of_bytes(data) != digest:
        return [Problem(place, "history.file_digest_differs", {"bytes": len(data)})]
    return []


def _wrong_with(path: Path, segment: Segment, enterprise: str) -> Iterator[Problem]:
    place = f"{SEGMENTS}/{segment.path}"
    problems = _bytes_wrong(path.parent.parent, place, segment.file_digest)
    yield from problems
    if any(one.key == "history.segment_unreadable" for one in problems):
        return
    try:
        facts, rows = read_segment(path)
    except (Damaged, UnknownFormat) as error:
        yield Problem(place, "history.segment_unreadable", {"reason": str(error)})
        return
    if digest_of(rows, enterprise, facts.digest.partition(":")[0]) != segment.digest:
        yield Problem(place, "history.digest_differs", {"rows": len(rows)})
    if not _agree(facts, segment, enterprise):
        yield Problem(place, "history.facts_differ")


def _agree(facts: Facts, segment: Segment, enterprise: str) -> bool:
    shared = Facts.__struct_fields__
    told = all(
        getattr(facts, name) == getattr(segment, name) for name in shared if hasattr(segment, name)
    )
    return told and facts.enterprise == enterprise


@contextmanager
def _catalogue(directory: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue(directory)
    try:
        yield catalogue
    finally:
        catalogue.close()
