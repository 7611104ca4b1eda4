"""Tell a story to the journey on a scripted clock, and compare what comes out."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec
import yaml

from meltwatch.collect.story import Deliver, Expected, Story, deliveries_of
from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.alarm.standing import Standing
from meltwatch.journey import Effect, Journey
from meltwatch.model.ids import OccurrenceId, bare
from meltwatch.model.instant import to_seconds
from meltwatch.model.log import ConfigRecord, Record, TickRecord
from meltwatch.model.risk_model import RiskModel


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a story came to."""

    story: str
    passed: bool
    occurrences: list[Expected]
    difference: list[str]


def tell(story: Story, deliver: Deliver) -> Told:
    """Run a story through the whole journey and compare it with what it expects."""
    teller = Teller(story)
    for delivery in deliveries_of(story, deliver):
        teller.pass_time(delivery.at)
        teller.take(delivery.frame)
    teller.pass_time(story.until + 1)
    found = teller.occurrences()
    wanted = sorted(story.told.expect, key=_order)
    return Told(
        story=story.told.story,
        passed=found == wanted,
        occurrences=found,
        difference=[f"missing {one}" for one in wanted if one not in found]
        + [f"unexpected {one}" for one in found if one not in wanted],
    )


class Teller:
    """The scripted clock of a story around one journey."""

    def __init__(self, story: Story) -> None:
        """Configure the story's plant at its start."""
        self.story = story
        self.journey = Journey.begin(story.plant.enterprise)
        self.effects: list[Effect] = []
        config = ConfigRecord(
            received_at=story.start, plant=story.plant, risk_model=default_risk_model()
        )
        self.take(config)

    def take(self, record: Record) -> None:
        """Give the journey one record."""
        self.effects += self.journey.step(record)

    def pass_time(self, until: int) -> None:
        """Let the clock pass every instant before `until` at which something is due."""
        while (tick := self._next_tick()) is not None and tick.at < until:
            self.take(tick)

    def occurrences(self) -> list[Expected]:
        """Return what came out, as a story tells it."""
        latest: dict[OccurrenceId, Occurrence] = {}
        for effect in self.effects:
            if isinstance(effect, AlarmEvent):
                latest[effect.occurrence.id] = effect.occurrence
        kept = [one for one in latest.values() if one.standing is not Standing.WITHDRAWN]
        return sorted((self._expected(one) for one in kept), key=_order)

    def _next_tick(self) -> TickRecord | None:
        due = self.journey.offline_due()
        wakes = [*due.values()]
        if (wake := self.journey.wake_at()) is not None:
            wakes.append(wake)
        if not wakes:
            return None
        at = min(wakes)
        return TickRecord(at=at, offline=tuple(one for one, when in due.items() if when <= at))

    def _expected(self, one: Occurrence) -> Expected:
        start = self.story.start
        return Expected(
            condition=bare(one.condition),
            raised=to_seconds(one.raised - start),
            returned=None if one.returned is None else to_seconds(one.returned - start),
            flags=one.flags,
        )


def default_risk_model() -> RiskModel:
    """Return the project's own risk model."""
    file = files("meltwatch.risk") / "models" / "project-default.1.yaml"
    return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), RiskModel)




def _order(one: Expected) -> tuple[float, str]:
    return (one.raised, one.condition)
