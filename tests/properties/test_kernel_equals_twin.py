"""The fast kernel gives exactly what the plain twin gives, and the cut of time does not matter."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings

from meltwatch.evaluate.kernel import Kernel
from meltwatch.evaluate.node import Transition
from meltwatch.evaluate.packed import KernelState
from meltwatch.evaluate.plan import plan_of
from meltwatch.evaluate.twin import Twin, TwinState
from meltwatch.model.ids import EpochId
from meltwatch.model.plant import Plant, Source
from meltwatch.model.sample import Row, batch_of
from tests.properties.engines import (
    Act,
    Adopt,
    Advance,
    Feed,
    LookAhead,
    Mark,
    Rest,
    Told,
    Turned,
    calm_of,
    plant_of_every_kind,
    rows_of,
    told_of,
)
from tests.properties.generators import Pick, picked


class Pair:
    """The plain twin and the kernel, told the same; each answer is compared."""

    def __init__(self, plant: Plant) -> None:
        plan = plan_of(plant)
        self.twin = Twin(plan)
        self.kernel = Kernel(plan)

    def take(self, act: Act) -> None:
        match act:
            case Feed(rows, epoch, seq):
                self.twin.feed(batch_of(rows), epoch, seq)
                self.kernel.feed(batch_of(rows), epoch, seq)
            case Advance(frontiers):
                same(self.twin.advance(frontiers), self.kernel.advance(frontiers))
            case Mark():
                for engine in (self.twin, self.kernel):
                    mark(engine, act)
            case LookAhead():
                same(ahead(self.twin.clone(), act), ahead(self.kernel.clone(), act))
            case Turned(name, at, offline):
                for engine in (self.twin, self.kernel):
                    engine.pass_clock(at)
                told = self.twin.turn_offline(name, at, offline=offline)
                assert self.kernel.turn_offline(name, at, offline=offline) == told
            case Adopt(plant):
                plan = plan_of(plant)
                assert self.kernel.adopt(plan) == self.twin.adopt(plan)
            case Rest(how):
                self.kernel = again(self.kernel, how)
        self.look()

    def look(self) -> None:
        nodes = self.twin.state.nodes
        dues = self.twin.dues()
        assert sorted(self.kernel.dues()) == sorted(dues)
        assert self.kernel.first_due() == min(dues, default=None)
        for name, node in nodes.items():
            assert self.kernel.is_raised(name) is (node.raised is not None)
        until = {name: nodes[name].frontier for name in self.kernel.decided_until()}
        assert self.kernel.decided_until() == until
        assert shown(self.kernel.to_twin()) == shown(self.twin.state)


def mark(engine: Twin | Kernel, told: Mark) -> None:
    tell = {
        "blind": engine.blind,
        "unknown": engine.make_unknown,
        "afresh": engine.make_afresh,
    }
    tell[told.how](told.source, told.at)


def ahead(engine: Twin | Kernel, look: LookAhead) -> list[Transition]:
    engine.blind(look.source, look.after + 1)
    return engine.advance({look.source: look.horizon}, stale=False)


def again(kernel: Kernel, how: str) -> Kernel:
    """Return the kernel as it comes back from a copy, its stored state, or the twin's state."""
    if how == "copy":
        return kernel.clone()
    if how == "twin":
        return Kernel.from_twin(kernel.plan, kernel.to_twin())
    stored = msgspec.msgpack.encode(kernel.state)
    return Kernel(kernel.plan, msgspec.msgpack.decode(stored, type=KernelState))


def same(plain: list[Transition], fast: list[Transition]) -> None:
    assert lines(fast) == lines(plain)


def lines(transitions: list[Transition]) -> list[str]:
    """Return transitions as lines, so that not-a-number in a reason equals itself."""
    return [str(one) for one in transitions]


def shown(state: TwinState) -> list[str]:
    """Return a state as lines; what waits, in order of instants: it may have come in any."""
    told = [f"{state.frontiers} {state.clock}"]
    for code, signal in sorted(state.signals.items()):
        order = [(at, seq, value, quality) for at, (_, seq, _), value, quality in signal.waiting]
        last = None if signal.unknown else signal.last  # while unknown it tells nothing
        kept = msgspec.structs.replace(signal, waiting=[], last=last)
        told.append(f"{code} {kept} {sorted(order, key=str)}")
    for name, node in sorted(state.nodes.items()):
        inbox = sorted(str((at, slot, int(turn), *rest)) for at, slot, turn, *rest in node.inbox)
        told.append(f"{name} {msgspec.structs.replace(node, inbox=[])} {inbox}")
    return told


@settings(max_examples=500)
@given(picked(told_of))
def test_the_kernel_says_what_the_twin_says_after_every_act(told: Told) -> None:
    pair = Pair(told.plant)
    for act in told.acts:
        pair.take(act)


@settings(max_examples=150)
@given(picked(calm_of))
def test_the_kernel_says_what_the_twin_says_in_a_long_calm(told: Told) -> None:
    pair = Pair(told.plant)
    for act in told.acts:
        pair.take(act)


class Cut(msgspec.Struct, frozen=True):
    """A plant, all rows that are ever told, and two ways to cut their time."""

    plant: Plant
    rows: tuple[Row, ...]
    cuts: tuple[tuple[int, ...], tuple[int, ...]]


def cut_of(pick: Pick) -> Cut:
    """Return a random case; where time is cut is free, but both reach the same end."""
    plant = plant_of_every_kind(pick)
    sources = {name: Source(first_at=0) for name in plant.sources}
    plant = msgspec.structs.replace(plant, sources=sources)
    rows = tuple(row for source in sorted(sources) for row in rows_of(pick, plant, source, 500))
    ends = [tuple(sorted(pick.whole(0, 9000) for _ in range(pick.whole(0, 8)))) for _ in "ab"]
    return Cut(plant, rows, (ends[0], ends[1]))


def said(cut: Cut, ends: tuple[int, ...], *, early: bool) -> list[Transition]:
    """Return what the kernel says in all, its rows told at once (`early`) or just in time."""
    kernel = Kernel(plan_of(cut.plant))
    found: list[Transition] = []
    before = -10_000
    if early:
        kernel.feed(batch_of(cut.rows), EpochId("1"), 0)
    for seq, end in enumerate((*ends, 20_000)):
        if not early:
            due = [row for row in cut.rows if before < row[1] <= end]
            kernel.feed(batch_of(due), EpochId("1"), seq)
        found += kernel.advance(dict.fromkeys(cut.plant.sources, end))
        before = end
    return found


@settings(max_examples=200)
@given(picked(cut_of))
def test_where_time_is_cut_does_not_matter(cut: Cut) -> None:
    first, second = cut.cuts
    assert lines(said(cut, first, early=True)) == lines(said(cut, second, early=False))
