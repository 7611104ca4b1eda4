"""Samples that wait for their coverage, in the batches in which they came."""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate.told import Rows
from meltwatch.model.ids import EpochId


class Waiting(msgspec.Struct, frozen=True, eq=False):
    """Samples of one batch that wait for their coverage, in the order sent."""

    epoch: EpochId
    seq: int
    rows: Rows


def take_due(waiting: list[Waiting], frontier: int) -> tuple[Rows, list[Waiting]]:
    """Return the samples up to the frontier, sorted by instant, and what still waits.

    Of one instant the later sent is last.
    """
    due: list[Rows] = []
    left: list[Waiting] = []
    for one in sorted(waiting, key=lambda one: (one.epoch, one.seq)):
        ready = one.rows.at <= frontier
        if ready.all():
            due.append(one.rows)
            continue
        left.append(Waiting(one.epoch, one.seq, one.rows.take(~ready)))
        if ready.any():
            due.append(one.rows.take(ready))
    rows = due[0] if len(due) == 1 else _concatenated(due)
    if (rows.at[1:] < rows.at[:-1]).any():
        rows = rows.take(np.argsort(rows.at, kind="stable"))
    return rows, left


def _concatenated(parts: list[Rows]) -> Rows:
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Rows(none, none, np.zeros(0), none.astype(np.uint16))
    return Rows(
        np.concatenate([one.point for one in parts]),
        np.concatenate([one.at for one in parts]),
        np.concatenate([one.value for one in parts]),
        np.concatenate([one.quality for one in parts]),
    )
