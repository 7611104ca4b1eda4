"""What evaluation keeps between records, and what a record decides: plain data."""

from __future__ import annotations

import msgspec

from meltwatch.evaluate.coverage import Coverage
from meltwatch.evaluate.node import Transition
from meltwatch.evaluate.twin import TwinState
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.sample import SampleBatch

ANCHOR_EVERY_MS = 60_000
"""How far the live engine runs before a new anchor is taken: corrections reach back further than
this and less than twice this; older ones are reported, not evaluated."""


HOLE_GIVEN_UP_MS = 7 * 24 * 3_600_000
"""How long an open hole is waited for: what a gateway's outbox holds. After that it counts as
never closed, so that what is kept stays bounded; frames that still come for it are reported."""

LONG_AGO = -(2**62)
"""Before every instant."""


class Kept(msgspec.Struct, frozen=True):
    """Samples of one frame, kept while they may have to be evaluated again."""

    source: SourceId
    epoch: EpochId
    seq: int
    samples: SampleBatch


class OfflineTurn(msgspec.Struct, frozen=True):
    """A source went offline or came back, by the receiver's clock."""

    source: SourceId
    at: int
    offline: bool


class EvaluationState(msgspec.Struct):
    """All that evaluation keeps: plain data, encoded as it is into a checkpoint."""

    live: TwinState
    anchors: list[TwinState]
    coverage: dict[SourceId, Coverage]
    kept: list[Kept] = []
    turns: list[OfflineTurn] = []
    clock: int | None = None


class Outcome(msgspec.Struct):
    """What a record decided.

    `transitions`, in order. If `anchored` is set, they are everything since that state and
    replace whatever was published since; else they only add. `too_old`: corrections from before
    the anchor: (point, instant), stored but not evaluated.
    """

    transitions: list[Transition] = []
    anchored: TwinState | None = None
    too_old: list[tuple[PointCode, int]] = []
