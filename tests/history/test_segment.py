"""The format: rows come back as they went, and files of every version are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from meltwatch.history.errors import UnknownFormat
from meltwatch.history.pile import Pile
from meltwatch.history.read import read_segment
from meltwatch.history.rows import Rows, no_rows
from meltwatch.history.segment import digest_of, encode, facts_of
from meltwatch.history.settle import settle
from tests.history.telling import PLANT, random_log, record

GOLDEN = Path(__file__).parent / "golden" / "segment-1.parquet"


def told() -> Rows:
    """Return the rows of the golden file."""
    pile = Pile()
    for _, frame in random_log(1, 30):
        pile.add(frame)
    pile.add(record(31, [("井/压力", 3100, 0.1 + 0.2, 128)], epoch="e2"))
    return settle(pile.rows(), no_rows()).tidy()


def test_rows_come_back(tmp_path: Path) -> None:
    rows = told()
    facts = facts_of(rows, enterprise=PLANT, kind="segment", positions=(1, 62))
    path = tmp_path / "one.parquet"
    path.write_bytes(encode(rows, facts))
    found, back = read_segment(path)
    assert found == facts
    assert digest_of(back, PLANT) == digest_of(rows, PLANT) == facts.digest


def test_the_golden_file_of_version_1_is_read() -> None:
    facts, rows = read_segment(GOLDEN)
    assert facts.version == 1
    assert facts.digest == digest_of(rows, facts.enterprise)
    assert len(rows) == facts.rows
    place = rows.points.index("井/压力")
    assert rows.value[rows.point == place].tolist() == [0.1 + 0.2]


def test_the_digest_sees_every_column() -> None:
    rows = told()
    seen = {digest_of(rows, PLANT), digest_of(rows, "other")}
    for name in ("point", "at", "value", "quality", "source", "epoch", "seq", "nth"):
        changed = rows.pick(rows.nth >= 0)
        getattr(changed, name)[3] += 1
        seen.add(digest_of(changed, PLANT))
    assert len(seen) == 10


def test_a_newer_version_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "newer.parquet"
    path.write_bytes(
        GOLDEN.read_bytes().replace(b"meltwatch.version\x18\x011", b"meltwatch.version\x18\x019")
    )
    with pytest.raises(UnknownFormat) as caught:
        read_segment(path)
    assert (caught.value.found, caught.value.known) == (9, 2)
