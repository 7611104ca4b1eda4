"""What is sealed, read without a query engine, and the check of every digest.

For tests, checks and people; queries go to the segments themselves (docs/formats/segment.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from meltwatch.errors import Problem
from meltwatch.history.catalogue import SEGMENTS, Catalogue, Segment
from meltwatch.history.earlier import open_parquet
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

    Checked: the bytes of each file, its rows against its own digest and against the catalogue,
    and that no two seals cover one position, none beyond where the log is sealed.
    """
    with _catalogue(directory) as catalogue:
        segments, sealed_to = catalogue.segments(), catalogue.sealed_to()
        enterprise = catalogue.enterprise()
    found: list[Problem] = []
    for segment in segments:
        found += _wrong_with(directory / SEGMENTS / segment.path, segment, enterprise)
    for before, after in pairwise(segments):
        together = (before.pos_from, before.pos_to) == (after.pos_from, after.pos_to)
        if not together and after.pos_from <= before.pos_to:
            found.append(Problem(after.path, "history.positions_overlap", {"to": before.pos_to}))
    if segments and segments[-1].pos_to > sealed_to:
        found.append(Problem(segments[-1].path, "history.beyond_sealed", {"sealed_to": sealed_to}))
    return found


def _wrong_with(path: Path, segment: Segment, enterprise: str) -> Iterator[Problem]:
    place = f"{SEGMENTS}/{segment.path}"
    try:
        data = path.read_bytes()
    except OSError as error:
        yield Problem(place, "history.segment_unreadable", {"reason": str(error)})
        return
    if digest_of_bytes(data) != segment.file_digest:
        yield Problem(place, "history.file_digest_differs", {"bytes": len(data)})
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
