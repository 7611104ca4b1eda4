"""Tell a story to a whole node on a scripted clock, and compare what comes out.

The story's frames go through a real ledger on disk and the journey behind it; what is compared is
what was committed. Told with `kill`, the node is a process of its own that ends by SIGKILL and is
followed by another one on the same disk.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.alarm.standing import Standing
from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.collect.story import GATEWAY, Deliver, Delivery, Expected, Story, deliveries_of
from meltwatch.errors import Bug, Problem, StoryRefused
from meltwatch.journey import Effect
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.port import Gap, Home
from meltwatch.model.encoding import decode
from meltwatch.model.ids import OccurrenceId, bare
from meltwatch.model.instant import to_ms, to_seconds
from meltwatch.model.log import ConfigRecord, SamplesRecord
from meltwatch.present.intake import record_of
from meltwatch.transport.admit import admit
from meltwatch.transport.frame import Frame
from meltwatch.transport.frame import encode as encode_frame
from meltwatch.transport.intake import Header, check_header
from meltwatch.transport.points import book_of
from meltwatch.transport.rows import rows_of
from meltwatch.transport.signature import SharedSecret, sign

READ_AT_ONCE = 1_000
FOR_EVER = 2**62
KEY_ID = "story"
KEY = SharedSecret(gateway=GATEWAY, secret=b"a story has no secrets")
UNDER_WAY = 12
OUT_OF_ORDER = 0.2


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A story, how it is told, and its deliveries."""

    story: Story
    deliver: Deliver
    deliveries: list[Delivery]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a story came to."""

    story: str
    passed: bool
    occurrences: list[Expected]
    difference: list[str]


def tell(story: Story, deliver: Deliver) -> Told:
    """Run a story through a whole node and compare what was committed with what it expects.

    Raises StoryRefused for a kill outside of the story.
    """
    if problems := [
        Problem("--deliver", "kill_outside", {"at": at, "until_s": story.told.until_s})
        for at in deliver.kill
        if not 0 <= at <= story.told.until_s
    ]:
        raise StoryRefused(problems)
    with tempfile.TemporaryDirectory(prefix="meltwatch-story-") as name:
        directory = Path(name)
        told = Telling(story=story, deliver=deliver, deliveries=deliveries_of(story, deliver))
        begin = -FOR_EVER
        for end in (story.start + to_ms(second) for second in deliver.kill):
            _live_and_die(told, directory, begin, end)
            begin = end
        _live(told, directory, begin, FOR_EVER)
        found = occurrences_in(directory, story)
    wanted = sorted(story.told.expect, key=_order)
    missing = [f"missing {_words(one)}" for one in wanted if one not in found]
    unexpected = [f"unexpected {_words(one)}" for one in found if one not in wanted]
    return Told(
        story=story.told.story,
        passed=found == wanted,
        occurrences=found,
        difference=missing + unexpected,
    )


def open_home(directory: Path) -> EmbeddedHome:
    """Open the ledger; not synced, since only the process dies here, never the machine."""
    return EmbeddedHome(directory, sync="off")


def _live(told: Telling, directory: Path, begin: int, end: int) -> None:
    home = open_home(directory)
    try:
        Teller(home, told).tell(begin, end)
    finally:
        home.close()


def _live_and_die(told: Telling, directory: Path, begin: int, end: int) -> None:
    """Tell a part of the story in a process that then ends without goodbye."""
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_die, args=(told, directory, begin, end))
    child.start()
    child.join()
    if child.exitcode != -signal.SIGKILL:
        raise Bug(f"the part up to {end} ended with {child.exitcode}, not by the kill")


def _die(told: Telling, directory: Path, begin: int, end: int) -> None:
    Teller(open_home(directory), told).tell(begin, end)
    os.kill(os.getpid(), signal.SIGKILL)


class Teller:
    """A story's gateway and clock around one core."""

    def __init__(self, home: Home, told: Telling) -> None:
        """Take up the core; configure the story's plant at its start if nobody has."""
        self.told = told
        self.story = story = told.story
        self.deliver = told.deliver
        self.chance = random.Random(told.deliver.shuffle)  # noqa: S311  # told, not secret
        self.book = book_of(story.plant, GATEWAY)
        self.core = Core(home, story.plant.enterprise)
        if self.core.journey.state.plant is None:
            self.core.take_own(
                ConfigRecord(
                    received_at=story.start, plant=story.plant, risk_model=default_risk_model()
                )
            )

    def tell(self, begin: int, end: int) -> None:
        """Tell what arrives in `[begin, end)`, ms UTC, and let the clock pass up to there."""
        for at, frames in _by_instant(self.told.deliveries):
            if begin <= at < end and at <= self.story.until:
                self.pass_time(at)
                self.send(frames)
                self.core.checkpoint(at)
        self.pass_time(min(end, self.story.until + 1))

    def send(self, frames: list[Delivery]) -> None:
        """Send the frames of one instant as a gateway would, until each is taken."""
        newest = max(one.frame.epoch for one in frames)
        self.core.say_hello(GATEWAY, newest)
        if self.deliver.shuffle is None:
            self._send_all([frames])
            return
        lanes: dict[str, list[Delivery]] = {}
        for one in frames:
            lanes.setdefault(one.frame.epoch, []).append(one)
        while lanes:
            epoch = self.chance.choice(sorted(lanes))
            size = self.chance.randint(1, UNDER_WAY)
            window, lanes[epoch] = lanes[epoch][:size], lanes[epoch][size:]
            if self.chance.random() < OUT_OF_ORDER:
                self.chance.shuffle(window)
                self._send_all([[one] for one in window])
            else:
                self._send_all([window])
            lanes = {name: left for name, left in lanes.items() if left}

    def _send_all(self, calls: list[list[Delivery]]) -> None:
        """Make the calls one after another; what is refused as a gap is sent again, in order."""
        refused = [one for call in calls for one in self._refused(call)]
        again = sorted(refused, key=lambda one: one.frame.seq)
        if again and self._refused(again):
            raise Bug(f"{len(again)} frames are refused even in order")

    def pass_time(self, until: int) -> None:
        """Let the clock pass every instant before `until` at which something is due."""
        while (tick := self.core.next_tick()) is not None and tick.at < until:
            self.core.take_own(tick)

    def _refused(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Send frames; return those that the ledger refused as gaps."""
        twice = [one for one in deliveries for _ in range(2 if self.deliver.duplicate else 1)]
        outcomes = self.core.take_samples([self._admitted(one) for one in twice])
        told = zip(twice, outcomes, strict=True)
        refused = {id(one) for one, outcome in told if isinstance(outcome, Gap)}
        return [one for one in deliveries if id(one) in refused]

    def _admitted(self, delivery: Delivery) -> tuple[SamplesRecord, bytes]:
        """Let a frame go over the wire: encoded, signed, checked and admitted."""
        told = delivery.frame
        frame = Frame(
            gateway=told.source,
            epoch=told.epoch,
            seq=told.seq,
            mark=told.mark,
            complete_from=told.complete_from,
            complete_to=told.complete_to,
            lost=told.lost,
            rows=rows_of(told.samples),
        )
        body = encode_frame(frame)
        header = Header(key=KEY_ID, signature=sign(KEY, body))
        plant = self.story.plant
        checked = check_header(
            body, header, keys={KEY_ID: KEY}, sources=plant.sources, now=delivery.at
        )
        admitted = admit(checked.frame, self.book, delivery.at)
        return record_of(checked, admitted, delivery.at), checked.digest


def occurrences_in(directory: Path, story: Story) -> list[Expected]:
    """Return what was committed, as a story tells it; withdrawn ones are left out."""
    latest: dict[OccurrenceId, Occurrence] = {}
    for effect in _effects(directory, story):
        if isinstance(effect, AlarmEvent):
            latest[effect.occurrence.id] = effect.occurrence
    kept = [one for one in latest.values() if one.standing is not Standing.WITHDRAWN]
    return sorted((_expected(one, story.start) for one in kept), key=_order)


def _effects(directory: Path, story: Story) -> Iterator[Effect]:
    home = open_home(directory)
    try:
        partition = home.partition(story.plant.enterprise)
        after = 0
        while rows := partition.effects(after, READ_AT_ONCE):
            for row in rows:
                after = row.id
                effect: Effect = decode(row.data, Effect)
                yield effect
    finally:
        home.close()


def _by_instant(deliveries: list[Delivery]) -> Iterator[tuple[int, list[Delivery]]]:
    for at, group in groupby(deliveries, key=lambda one: one.at):
        yield at, list(group)


def _expected(one: Occurrence, start: int) -> Expected:
    return Expected(
        condition=bare(one.condition),
        raised=to_seconds(one.raised - start),
        returned=None if one.returned is None else to_seconds(one.returned - start),
        flags=one.flags,
    )


def _order(one: Expected) -> tuple[float, str]:
    return (one.raised, one.condition)


def _words(one: Expected) -> str:
    returned = "still raised" if one.returned is None else f"{one.returned:g}"
    return f"{one.condition} {one.raised:g} -> {returned} {' '.join(one.flags)}".rstrip()
