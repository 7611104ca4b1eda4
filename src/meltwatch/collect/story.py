"""A story file: signals, faults of delivery, and what must come out (`SEMANTICS`, Stories).

A story plays one plant's instruments and its gateway: `frames_of` makes the frame of every whole
second, `deliveries_of` says when each arrives, told otherwise if asked (`Deliver`).
"""

from __future__ import annotations

import math
import random
import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from meltwatch.collect.given import read_given
from meltwatch.errors import Problem, StoryRefused
from meltwatch.evaluate.plan import plan_of
from meltwatch.model.condition import Condition
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId, UnitId, in_unit
from meltwatch.model.instant import SECOND_MS, to_ms
from meltwatch.model.log import SamplesRecord
from meltwatch.model.plant import Module, Plant, Point, Source, UnitTemplate, instantiate
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row, batch_of

GATEWAY = SourceId("gateway")
Span = tuple[float, float]
LEAST_PERIOD_S = 0.01
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
T = TypeVar("T")


class Signal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one point's values go: a step or a ramp through `[second, value]` entries."""

    period_s: float
    shape: Literal["step", "ramp"]
    path: tuple[tuple[float, float], ...]
    gaps: tuple[Span, ...] = ()
    bad: tuple[Span, ...] = ()


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An occurrence that must come out; seconds from the start, None: still raised."""

    condition: str
    raised: float
    returned: float | None = None
    flags: tuple[str, ...] = ()


class PlantFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A story's plant: a unit template with one source."""

    plant: str
    module: Module
    offline_s: float
    points: dict[str, Point]
    conditions: dict[str, Condition]
    grace_s: float = 5.0


class StoryFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A story as written."""

    story: str
    plant: str
    start: datetime
    until_s: float
    signals: dict[str, Signal]
    expect: tuple[Expected, ...]
    source: str = ""
    lines_down: tuple[Span, ...] = ()


class Deliver(msgspec.Struct, frozen=True, kw_only=True):
    """How the same samples are told otherwise.

    `batches`: at most so many samples a frame. `shuffle`: rows within a frame and frames of
    different epochs in any order, from a seed. `duplicate`: every frame twice. `kill`: the
    process ends at these story seconds and goes on from disk.
    """

    batches: int | None = None
    shuffle: int | None = None
    duplicate: bool = False
    kill: tuple[float, ...] = ()


class Delivery(msgspec.Struct, frozen=True):
    """A frame and the instant at which it arrives, ms UTC."""

    at: int
    frame: SamplesRecord


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A story with its plant, ready to be told."""

    told: StoryFile
    plant: Plant
    start: int

    @property
    def until(self) -> int:
        """Return the last instant that is decided, ms UTC."""
        return self.start + to_ms(self.told.until_s)


def story_of(path: Path) -> Story:
    """Read a story file and the plant beside it (`plants/NAME.yaml`).

    Raises StoryRefused when either cannot be read as what it should be.
    """
    told: StoryFile = read_given(path, StoryFile, StoryRefused)
    if problems := list(_problems(path, told)):
        raise StoryRefused(problems)
    beside = path.parent / "plants" / f"{told.plant}.yaml"
    template: PlantFile = read_given(beside, PlantFile, StoryRefused)
    start = round(told.start.timestamp() * SECOND_MS)
    unit = UnitId(template.plant)
    points, conditions = instantiate(
        UnitTemplate(points=template.points, conditions=template.conditions), unit, GATEWAY
    )
    unknown = [name for name in told.signals if in_unit(unit, name) not in points]
    if unknown:
        raise StoryRefused([Problem(f"{path}/signals/{one}", "unknown_point") for one in unknown])
    plant = Plant(
        enterprise=EnterpriseId(f"story-{template.plant}"),
        module=template.module,
        points=points,
        conditions=conditions,
        sources={GATEWAY: Source(offline_s=template.offline_s, first_at=start)},
        grace_s=template.grace_s,
    )
    plan_of(plant)
    return Story(told=told, plant=plant, start=start)


def _problems(path: Path, told: StoryFile) -> Iterator[Problem]:
    """Yield what would make a story that cannot be told, or is told otherwise than it says."""
    if told.start.tzinfo is None:
        yield Problem(f"{path}/start", "zone_missing")
    if not (math.isfinite(told.until_s) and told.until_s >= 0):
        yield Problem(f"{path}/until_s", "negative")
    if not _NAME.fullmatch(told.plant):
        yield Problem(f"{path}/plant", "no_name")
    yield from _spans(f"{path}/lines_down", told.lines_down)
    for name, path_of in told.signals.items():
        place = f"{path}/signals/{name}"
        seconds = [second for second, _ in path_of.path]
        if not (math.isfinite(path_of.period_s) and path_of.period_s >= LEAST_PERIOD_S):
            yield Problem(f"{place}/period_s", "too_short", {"least_s": LEAST_PERIOD_S})
        if not seconds or seconds != sorted(seconds):
            yield Problem(f"{place}/path", "not_ascending")
        if not all(math.isfinite(one) for entry in path_of.path for one in entry):
            yield Problem(f"{place}/path", "not_finite")
        yield from _spans(f"{place}/gaps", path_of.gaps)
        yield from _spans(f"{place}/bad", path_of.bad)


def _spans(place: str, spans: tuple[Span, ...]) -> Iterator[Problem]:
    for start, end in spans:
        if not start < end:
            yield Problem(place, "span_reversed", {"from": start, "to": end})


def deliveries_of(story: Story, deliver: Deliver) -> list[Delivery]:
    """Return every frame of the story with its arrival, in the order in which they arrive.

    Drained frames come behind the live ones of their instant. With `shuffle` the rows of a frame
    are in any order; the order of frames is the sender's business.
    """
    chance = random.Random(deliver.shuffle)  # noqa: S311  # told, not secret
    live: list[Delivery] = []
    drained: list[Delivery] = []
    epoch, numbers = 0, {0: 0}
    was_down = False
    for second, rows in _seconds(story):
        back = _back_at(story, second)
        if was_down and back is None:
            epoch += 1
            numbers[epoch] = 0
        was_down = back is not None
        for start, end, part in _parts(story, second, rows, deliver.batches):
            numbers[epoch] += 1
            if deliver.shuffle is not None:
                chance.shuffle(part)
            arrives = story.start + (second if back is None else back) * SECOND_MS
            frame = SamplesRecord(
                received_at=arrives,
                source=GATEWAY,
                epoch=EpochId(f"{story.start:012x}-{epoch:016x}"),
                seq=numbers[epoch],
                complete_from=start,
                complete_to=end,
                samples=batch_of(part),
                backfill=back is not None,
            )
            (live if back is None else drained).append(Delivery(arrives, frame))
    ranked = [(one.at, 0, place, one) for place, one in enumerate(live)]
    ranked += [(one.at, 1, place, one) for place, one in enumerate(drained)]
    return [one[3] for one in sorted(ranked, key=lambda one: one[:3])]


def _seconds(story: Story) -> Iterator[tuple[int, list[Row]]]:
    """Yield each whole second of the story with the samples of `(second - 1, second]`."""
    by_second: dict[int, list[Row]] = {}
    unit = UnitId(story.told.plant)
    for name, path in story.told.signals.items():
        code = PointCode(in_unit(unit, name))
        for ms, value, quality in _samples(path, story.told.until_s):
            second = -(-ms // SECOND_MS)
            by_second.setdefault(second, []).append((code, story.start + ms, value, quality))
    for second in range(math.floor(story.told.until_s) + 1):
        yield second, sorted(by_second.get(second, []), key=lambda row: row[1])


def _samples(path: Signal, until_s: float) -> Iterator[tuple[int, float, int]]:
    """Yield (ms from the start, value, quality) at every period from the first entry on."""
    first, period = Decimal(repr(path.path[0][0])), Decimal(repr(path.period_s))
    count = 0
    while (second := float(first + count * period)) <= until_s:
        count += 1
        if any(start <= second < end for start, end in path.gaps):
            continue
        bad = any(start <= second < end for start, end in path.bad)
        yield to_ms(second), _value(path, second), int(Quality.BAD if bad else Quality.GOOD)


def _value(path: Signal, second: float) -> float:
    entries = path.path
    place = bisect_right(entries, (second, math.inf)) - 1
    start, value = entries[place]
    if path.shape == "ramp" and place + 1 < len(entries):
        end, target = entries[place + 1]
        value += (target - value) * (second - start) / (end - start)
    return round(float(value), 6)


def _parts(
    story: Story, second: int, rows: list[Row], most: int | None
) -> Iterator[tuple[int, int, list[Row]]]:
    """Yield (complete_from, complete_to, rows) of a second's frame, or of its batches."""
    end = story.start + second * SECOND_MS
    start = end - SECOND_MS
    size = most or max(len(rows), 1)
    for place in range(0, max(len(rows), 1), size):
        following = rows[place + size : place + size + 1]
        reached = following[0][1] - 1 if following else end
        yield start, reached, rows[place : place + size]
        start = reached


def _back_at(story: Story, second: int) -> int | None:
    """Return the second at which a frame made now is delivered; None: at once."""
    for start, end in _outages(story.told.lines_down):
        if start <= second < end:
            return math.ceil(end)
    return None


def _outages(spans: tuple[Span, ...]) -> list[Span]:
    """Return the spans with those that touch or overlap made one: the line was down throughout."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
