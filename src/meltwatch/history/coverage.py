"""What of each source's time is complete or lost: intervals `(begins, ends]`, ms UTC.

Every real frame completes the interval that it states; what its source declares lost is known and
empty. What is neither is incomplete: nothing says whether something is missing there. Intervals are
kept joined, so that a source that never fails is one row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from meltwatch.model.log import Interval, SamplesRecord

State = Literal["complete", "lost", "incomplete"]
Kept = Literal["complete", "lost"]
Coverage = dict[tuple[str, Kept], list[Interval]]
"""For each (source, state) its intervals: ascending, apart from each other."""


def note(coverage: Coverage, record: SamplesRecord) -> None:
    """Put what a frame says into a coverage; a test frame says nothing of the plant."""
    if record.mark != "real":
        return
    _put(coverage, record.source, "complete", (record.complete_from, record.complete_to))
    for interval in record.lost:
        _put(coverage, record.source, "lost", interval)


def joined_coverage(parts: Iterable[Coverage]) -> Coverage:
    """Return what several coverages say together."""
    whole: Coverage = {}
    for part in parts:
        for key, intervals in part.items():
            whole[key] = union([*whole.get(key, []), *intervals])
    return whole


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the intervals ascending, those that touch made one, empty ones left out."""
    found: list[Interval] = []
    for begins, ends in sorted(one for one in intervals if one[0] < one[1]):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(ends, found[-1][1]))
        else:
            found.append((begins, ends))
    return found


def cut(intervals: Iterable[Interval], window: Interval) -> list[Interval]:
    """Return what of the intervals lies in a window."""
    return union((max(begins, window[0]), min(ends, window[1])) for begins, ends in intervals)


def without(intervals: Iterable[Interval], taken: Iterable[Interval]) -> list[Interval]:
    """Return what of the intervals is in none of those taken."""
    left = union(intervals)
    for begins, ends in union(taken):
        left = [
            part
            for one in left
            for part in ((one[0], min(one[1], begins)), (max(one[0], ends), one[1]))
            if part[0] < part[1]
        ]
    return left


def states(coverage: Coverage, source: str, window: Interval) -> list[tuple[State, Interval]]:
    """Return a window of a source without a rest, in order: complete, lost or incomplete.

    Lost is told before complete: the frame that says so completes the same time.
    """
    lost = cut(coverage.get((source, "lost"), []), window)
    complete = without(cut(coverage.get((source, "complete"), []), window), lost)
    told: list[tuple[State, Interval]] = [("lost", one) for one in lost]
    told += [("complete", one) for one in complete]
    told += [("incomplete", one) for one in without([window], [*lost, *complete])]
    return sorted(told, key=lambda one: one[1])


def _put(coverage: Coverage, source: str, state: Kept, interval: Interval) -> None:
    kept = coverage.setdefault((source, state), [])
    if kept and kept[-1][0] <= interval[0] <= kept[-1][1]:
        # What nearly every frame does: it goes on where the last one ended.
        kept[-1] = (kept[-1][0], max(kept[-1][1], interval[1]))
    else:
        kept[:] = union([*kept, interval])
