"""How an engine goes through what is missing of a source: gaps, and the time it is offline.

Inside a gap nothing is known to have come or not (blind, decision 0002); its points are unknown
from where the source was offline, or from the new run on, until their next value.
"""

from __future__ import annotations

from meltwatch.evaluate.coverage import Coverage
from meltwatch.evaluate.kernel import Kernel
from meltwatch.evaluate.node import Transition
from meltwatch.model.ids import SourceId


def begin(engine: Kernel, source: SourceId, coverage: Coverage, reached: int) -> list[Transition]:
    """Let a source begin where it did, at the complete_to of its first frame, if it has not."""
    first = coverage.first_to
    if source in engine.frontiers or first is None:
        return []
    return engine.advance({source: min(first, reached)})


def run_through(
    engine: Kernel, source: SourceId, coverage: Coverage, after: int
) -> list[Transition]:
    """Run one source from `after` on through its gaps, and to where it is now."""
    found: list[Transition] = []
    for start, end in coverage.gaps(after):
        found += begin(engine, source, coverage, start)
        found += engine.advance({source: start})
        engine.blind(source, start + 1)
        marks = [mark for mark in coverage.offline_marks if start < mark <= end]
        found += go_unknown(engine, source, min([*marks, end]))
        found += engine.advance({source: end - 1})
        engine.make_afresh(source, end)
        found += engine.advance({source: end})
    if coverage.run_end is not None:
        found += begin(engine, source, coverage, coverage.run_end)
        found += engine.advance({source: coverage.run_end})
    if coverage.offline_since is not None:
        if coverage.run_end is not None:
            engine.blind(source, coverage.run_end + 1)
        found += go_unknown(engine, source, coverage.offline_since)
    return found


def go_unknown(engine: Kernel, source: SourceId, at: int) -> list[Transition]:
    """Let the source's points be unknown from an instant on, until their next value."""
    found = engine.advance({source: at - 1})
    engine.make_unknown(source, at)
    return found
