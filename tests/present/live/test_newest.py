"""Newest values in columns are what a plain fold over the samples finds."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meltwatch.model.ids import PointCode
from meltwatch.model.sample import batch_of
from meltwatch.present.live.newest import Newest
from meltwatch.present.live.picture import Latest
from tests.present.live.test_feed import ROW, fold


@given(st.lists(st.lists(ROW, max_size=20), max_size=4))
def test_the_newest_of_batches_is_what_the_plain_fold_finds(batches: list[list[Any]]) -> None:
    values: dict[PointCode, Latest] = {}
    newest = Newest()
    seen: dict[PointCode, Latest] = {}
    for told in batches:
        rows = [(PointCode(name), at * 1000, value, quality) for name, at, value, quality in told]
        fold(values, rows)
        newest.note(batch_of(rows))
        seen |= newest.changed()
        assert seen == values
    assert newest.known() == values
    assert newest.changed() == {}
