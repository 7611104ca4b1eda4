"""What evaluation keeps between records, and what a record decides: plain data."""

from __future__ import annotations

import msgspec

from meltwatch.evaluate.coverage import Coverage
from meltwatch.evaluate.node import Transition
from meltwatch.evaluate.packed import KernelState
from meltwatch.model.ids import ConditionId, EpochId, PointCode, SourceId
from meltwatch.model.log import Interval
from meltwatch.model.sample import SampleBatch

ANCHOR_EVERY_MS = 60_000
"""How far an island runs before a new anchor is taken: corrections reach back further than this
and less than twice this; older ones are reported, not evaluated."""

MOST_BEHIND = 4_000_000
"""How many samples an island keeps for corrections at the most (22 bytes each): beyond it anchors
are taken sooner, and corrections reach back less far."""

HOLE_GIVEN_UP_MS = 7 * 24 * 3_600_000
"""How long an open hole is waited for: what a gateway's outbox holds. After that it counts as
never closed, so that what is kept stays bounded; frames that still come for it are reported."""

MOST_AHEAD = 20_000_000
"""How many samples from behind open holes an island keeps; beyond it they count as never closed."""

LONG_AGO = -(2**62)
"""Before every instant."""


class Kept(msgspec.Struct, frozen=True):
    """Samples of one frame, kept while they may have to be evaluated again.

    `first`, `last`: their least and greatest instants.
    """

    first: int
    last: int
    epoch: EpochId
    seq: int
    samples: SampleBatch


class OfflineTurn(msgspec.Struct, frozen=True):
    """A source went offline or came back, by the receiver's clock."""

    source: SourceId
    at: int
    offline: bool


class Since(msgspec.Struct, frozen=True):
    """Where a condition was run again from: decided up to `at`, raised since `raised` or not."""

    at: int
    raised: int | None


class IslandState(msgspec.Struct):
    """All that one island keeps; the engines go on in `island`, and are told here by `freeze`.

    `sure`: the engine run over complete samples only. `live`: the one that goes on through open
    holes and without sources that are offline; None while there is no difference. `anchors`: what
    `sure` was, older first. `behind`: samples that `sure` was fed since the first anchor;
    `ahead`: those that it was not yet, by their first instants. `provisional`: how `live` alone has
    raised what is raised in it. `parted`: where the conditions stood that something is missing for
    when that began; `filled`: what `sure` has decided of them since; `untold`: what of that nobody
    was told yet.
    """

    sure: KernelState
    anchors: list[KernelState]
    live: KernelState | None = None
    behind: dict[SourceId, list[Kept]] = {}
    ahead: dict[SourceId, list[Kept]] = {}
    turns: list[OfflineTurn] = []
    provisional: dict[ConditionId, Transition] = {}
    parted: dict[ConditionId, Since] = {}
    filled: list[Transition] = []
    untold: dict[ConditionId, list[Transition]] = {}


class EvaluationState(msgspec.Struct):
    """All that evaluation keeps: plain data, encoded as it is into a checkpoint."""

    islands: list[IslandState]
    coverage: dict[SourceId, Coverage]
    clock: int | None = None


class Outcome(msgspec.Struct):
    """What a record decided.

    `transitions`, in order. If `since` is set, those of its conditions are everything since then
    and replace whatever was published after it; else they only add. `filled`: what complete
    samples have decided inside a hole that is still open. `too_old`: corrections from before the
    anchor: (point, instant), stored but not evaluated.
    """

    transitions: list[Transition] = []
    since: dict[ConditionId, Since] | None = None
    filled: list[Transition] = []
    too_old: list[tuple[PointCode, int]] = []


class GivenUp(msgspec.Struct, frozen=True):
    """A hole that is waited for no more."""

    source: SourceId
    hole: Interval


class Settled(msgspec.Struct):
    """What is waited for no more, and what complete samples had decided there untold."""

    given_up: list[GivenUp] = []
    filled: list[Transition] = []
