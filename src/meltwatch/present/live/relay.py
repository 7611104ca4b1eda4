"""The relay: one ear at the core, many screens.

One task hears what the core tells, carries each plant's picture on, and makes the words for screens
once per change, as bytes. Every screen's stream has a bounded queue: one that is too slow is ended,
never thinned and never waited for. When the core is away the pictures stay, marked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager

import msgspec

from meltwatch.clock import Clock
from meltwatch.errors import MeltwatchError
from meltwatch.model.ids import CaseId, EnterpriseId, OccurrenceId
from meltwatch.model.site import Site
from meltwatch.present.api import shapes
from meltwatch.present.live.core_line import CoreAway, CoreLine
from meltwatch.present.live.picture import Delta, Missed, Picture, Told, apply
from meltwatch.present.live.views import cases_by_occurrence, delta_of, picture_of, summary_of

MOST_WAITING = 150
"""Events that may wait for one screen before it is ended: at five a second, half a minute."""
FIRST_RETRY_S, MOST_RETRY_S = 0.1, 2.0

_log = logging.getLogger(__name__)


class StreamEnded(MeltwatchError):
    """The stream is over: the screen was too slow, or the process stops. Close it."""


class Stream:
    """What waits for one screen: events as bytes, in order, bounded."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        """Begin empty."""
        self.over = asyncio.Event()
        self._most = most_waiting
        self._waiting: deque[bytes] = deque()
        self._some = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Add an event; a stream that has too many waiting is over."""
        if len(self._waiting) >= self._most:
            self.end()
        elif not self.over.is_set():
            self._waiting.append(event)
            self._some.set()

    def end(self) -> None:
        """End it: what waits is not sent any more."""
        self._waiting.clear()
        self.over.set()
        self._some.set()

    async def take(self, within_s: float) -> bytes:
        """Return all that waits, joined; nothing if nothing came in time.

        Raises StreamEnded.
        """
        try:
            async with asyncio.timeout(max(within_s, 0)):
                await self._some.wait()
        except TimeoutError:
            return b""
        if self.over.is_set():
            raise StreamEnded
        told = b"".join(self._waiting)
        self._waiting.clear()
        self._some.clear()
        return told


class _Plant:
    """One plant as the relay keeps it, with its bytes made at most once per change."""

    def __init__(self, site: Site, away_since: int) -> None:
        self.site = site
        self.away_since: int | None = away_since
        self.picture: Picture | None = None
        self.case_of: dict[OccurrenceId, CaseId] = {}
        self.streams: set[Stream] = set()
        self.summary = summary_of(site, None, away_since)
        self._picture_json: bytes | None = None

    def take(self, picture: Picture) -> None:
        """Replace the picture."""
        self.picture, self.away_since = picture, None
        self.case_of = cases_by_occurrence(picture)
        self._picture_json = None

    def carry_on(self, delta: Delta) -> shapes.Delta | None:
        """Apply a delta; return what screens are told of it, None if none is there.

        Raises Missed.
        """
        if self.picture is None:
            raise Missed(f"{delta.enterprise}: a delta before any picture")
        apply(self.picture, delta)
        self._picture_json = None
        before = self.case_of
        if delta.cases or delta.gone:
            self.case_of = cases_by_occurrence(self.picture)
        if not self.streams:
            return None
        return delta_of(self.site, self.picture, delta, before, self.case_of)

    def lose(self, since: int) -> None:
        """Note that the core is away."""
        self.away_since = since
        self._picture_json = None
        self.summary = msgspec.structs.replace(self.summary, core_away_since=since)

    def sum_up(self) -> bool:
        """Make the summary anew; return whether more than its instant has changed."""
        former, self.summary = self.summary, summary_of(self.site, self.picture, self.away_since)
        return _timeless(former) != _timeless(self.summary)

    def picture_json(self) -> bytes | None:
        """Return the picture for screens; None before the core has told one."""
        if self._picture_json is None and self.picture is not None:
            shape = picture_of(self.site, self.picture, self.away_since)
            self._picture_json = msgspec.json.encode(shape)
        return self._picture_json


class Relay:
    """What web knows of the plants, and the streams that hear of it."""

    def __init__(
        self,
        line: CoreLine,
        sites: Mapping[EnterpriseId, Site],
        clock: Clock,
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Relay what a line tells of the plants of some sites."""
        self.line, self.clock, self.most_waiting = line, clock, most_waiting
        self.away_since: int | None = clock.wall_ms()
        self._plants = {name: _Plant(site, self.away_since) for name, site in sites.items()}
        self._overviews: dict[Stream, frozenset[EnterpriseId]] = {}
        self._unknown: set[EnterpriseId] = set()
        self._over = False

    async def run(self) -> None:
        """Hear the core until cancelled."""
        wait_s = FIRST_RETRY_S
        while True:
            try:
                async with aclosing(self.line.told()) as told:
                    async for one in told:
                        self._found()
                        self._hear(one)
                        wait_s = FIRST_RETRY_S
                self._lost("the line has ended")
            except (CoreAway, Missed) as why:
                self._lost(str(why))
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, MOST_RETRY_S)

    # what routes ask

    def picture(self, enterprise: EnterpriseId) -> Picture | None:
        """Return what is so now, as the core told it; to be read only."""
        return self._plants[enterprise].picture

    def picture_json(self, enterprise: EnterpriseId) -> bytes | None:
        """Return `shapes.Picture`; None before the core has told one."""
        return self._plants[enterprise].picture_json()

    def summaries_json(self, enterprises: Iterable[EnterpriseId]) -> bytes:
        """Return the summaries of some plants, a list of `shapes.Summary`."""
        return msgspec.json.encode([self._plants[one].summary for one in enterprises])

    def beat(self, enterprise: EnterpriseId | None = None) -> bytes:
        """Return the beat of a plant's stream, or of the overview's."""
        away = self.away_since if enterprise is None else self._plants[enterprise].away_since
        return event_of(shapes.Beat(now=self.clock.wall_ms(), core_away_since=away))

    @contextmanager
    def watch(self, enterprise: EnterpriseId) -> Iterator[Stream]:
        """Open a plant's stream: its picture, if there is one, then whatever changes."""
        plant = self._plants[enterprise]
        stream = self._stream()
        if plant.picture is not None and (told := plant.picture_json()) is not None:
            stream.put(_event("picture", told, plant.picture.number))
        stream.put(self.beat(enterprise))
        plant.streams.add(stream)
        try:
            yield stream
        finally:
            plant.streams.discard(stream)

    @contextmanager
    def watch_all(self, enterprises: Iterable[EnterpriseId]) -> Iterator[Stream]:
        """Open an overview's stream: the summary of each plant, again whenever it changes."""
        wanted = frozenset(enterprises)
        stream = self._stream()
        told = [event_of(one.summary) for name, one in self._plants.items() if name in wanted]
        stream.put(b"".join((*told, self.beat())))
        self._overviews[stream] = wanted
        try:
            yield stream
        finally:
            del self._overviews[stream]

    def end(self) -> None:
        """End every stream, those that are still to come too: the process stops."""
        self._over = True
        for stream in self._streams():
            stream.end()

    # inside

    def _stream(self) -> Stream:
        stream = Stream(self.most_waiting)
        if self._over:
            stream.end()
        return stream

    def _streams(self) -> list[Stream]:
        return [
            *self._overviews,
            *(one for plant in self._plants.values() for one in plant.streams),
        ]

    def _hear(self, told: Told) -> None:
        plant = self._plants.get(told.enterprise)
        if plant is None:
            if told.enterprise not in self._unknown:
                self._unknown.add(told.enterprise)
                _log.warning("the core tells of %s, which this node does not name", told.enterprise)
            return
        if isinstance(told, Picture):
            self._take(plant, told)
        else:
            shape = plant.carry_on(told)
            if shape is not None:
                self._tell(plant, event_of(shape, told.number))
            if told.occurrences or told.cases or told.gone or told.lines or told.assessment:
                self._tell_summary(plant)

    def _take(self, plant: _Plant, picture: Picture) -> None:
        was_away = plant.away_since is not None
        plant.take(picture)
        if plant.streams and (told := plant.picture_json()) is not None:
            self._tell(plant, _event("picture", told, picture.number))
            if was_away:
                self._tell(plant, self.beat(picture.enterprise))
        self._tell_summary(plant)

    def _tell(self, plant: _Plant, event: bytes) -> None:
        for stream in plant.streams:
            stream.put(event)

    def _tell_summary(self, plant: _Plant) -> None:
        if not plant.sum_up() or not self._overviews:
            return
        event = event_of(plant.summary)
        for stream, wanted in self._overviews.items():
            if plant.site.enterprise in wanted:
                stream.put(event)

    def _lost(self, why: str) -> None:
        if self.away_since is not None:
            return
        _log.warning("the core is away: %s", why)
        self.away_since = self.clock.wall_ms()
        for name, plant in self._plants.items():
            plant.lose(self.away_since)
            self._tell(plant, self.beat(name))
        self._beat_overviews()

    def _found(self) -> None:
        if self.away_since is None:
            return
        _log.warning("the core is there")
        self.away_since = None
        self._beat_overviews()

    def _beat_overviews(self) -> None:
        for stream in self._overviews:
            stream.put(self.beat())


def event_of(
    shape: shapes.Delta | shapes.Summary | shapes.Beat, number: int | None = None
) -> bytes:
    """Return a shape as a server-sent event."""
    kind = str(type(shape).__struct_config__.tag)
    return _event(kind, msgspec.json.encode(shape), number)


def _event(kind: str, data: bytes, number: int | None = None) -> bytes:
    of_number = b"" if number is None else b"id: %d\n" % number
    return b"event: %b\n%bdata: %b\n\n" % (kind.encode(), of_number, data)


def _timeless(summary: shapes.Summary) -> shapes.Summary:
    return msgspec.structs.replace(summary, now=0, core_away_since=None)
