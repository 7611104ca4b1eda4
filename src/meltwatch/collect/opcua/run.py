"""One run of a source: what its server tells, as batches with their completeness.

A run begins when every item is subscribed and ends with the line. Nothing here waits, reads a
clock or touches a socket: `now` is the gateway's wall clock, given with each message.

- *live*: the source time is `at` while it lies within 2 s of the span in which the value can have
  been sampled, gateway time; otherwise the gateway's time of the message, with `CLOCK`. Complete
  to the server's time of the message less `settle_ms`, never beyond the gateway's.
- *recorded*: the source time is `at`. Complete to what the clock node holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from asyncua import ua

from meltwatch.collect.opcua.port import Batch, Edges, OpcUa
from meltwatch.collect.opcua.reading import NoNumber, Reading, clock_of, reading_of
from meltwatch.model.ids import PointCode
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row

NEAR_MS = 2000
"""How far a source time may lie from the gateway's (DESIGN, decision 4)."""

_REMEMBERED = 64
"""Messages over which the server's clock is compared with the gateway's."""


class Message(NamedTuple):
    """One notification message: values by point (None: the clock node), and its times, ms UTC.

    `more`: the server has more to say at once, so that this message completes nothing.
    """

    values: list[tuple[PointCode | None, ua.DataValue]]
    published: int
    now: int
    more: bool = False


class _Last(NamedTuple):
    reading: Reading
    at: int


class Run:
    """Turns the messages of one line into batches."""

    def __init__(self, asked: OpcUa, began: int, after: int | None, edges: Edges) -> None:
        """Begin at gateway time `began`; `after`: where the run before was complete to."""
        self._asked = asked
        self._edges = edges
        self._after = after
        self._live = asked.domain == "live"
        self._played = asked.clock_node is not None
        self._last: dict[PointCode, _Last] = {}
        self._offsets: deque[int] = deque(maxlen=_REMEMBERED)
        self._span = (began, began)
        self._complete: int | None = None
        self._unheard: dict[PointCode, _Last | None] = {}
        self._told = False
        self._dropped = False
        self._clock: int | None = None
        self._clock_seen = False
        self._waiting: list[tuple[Row, int | None]] = []
        if not self._played:
            self._complete = max(began, began if after is None else after)

    def heard(self, message: Message) -> Batch | None:
        """Take a notification message; None: nothing can be said yet."""
        self._sets_span(message)
        rows: list[tuple[Row, int | None]] = []
        overflowing, sound = set[PointCode](), set[PointCode]()
        for code, told in message.values:
            if code is None:
                self._hears_clock(told)
                continue
            reading = self._reading(code, told)
            if reading is not None:
                (overflowing if reading.overflow else sound).add(code)
                rows += self._row(code, reading)
        for code in overflowing:
            self._edges.begins("overflow", code)
        for code in sound - overflowing:
            self._edges.is_over("overflow", code)
        self._dropped |= bool(overflowing)
        return self._batch(rows, self._completes(message))

    def beat(self, values: Iterable[tuple[PointCode, ua.DataValue]], asked_at: int) -> Batch | None:
        """Take a reading of all items that was asked for at gateway time `asked_at`.

        A value that was told before and still stands is told again, for the instant after what is
        complete: every later change lies behind that. Another value is on its way as a message;
        if still none has come at the next heartbeat, it is taken from here. In a recorded domain
        only the line is proved: what was not written is no sample.
        """
        if not self._live:
            return None
        rows: list[tuple[Row, int | None]] = []
        for code, told in values:
            reading = self._reading(code, told)
            if reading is None:
                continue
            last = self._last.get(code)
            if last is None or not _same(last.reading, reading):
                if code in self._unheard and self._unheard[code] is last:
                    self._span = (self._span[0], max(self._span[1], asked_at))
                    rows += self._row(code, reading)
                self._unheard[code] = self._last.get(code)
            elif self._complete is not None and last.at <= self._complete:
                at = self._complete + 1
                self._last[code] = _Last(reading, at)
                quality = reading.quality | Quality.CLOCK
                rows.append(((code, at, reading.value, quality), reading.stamp))
        return self._batch(rows, None) if rows else None

    def _reading(self, code: PointCode, told: ua.DataValue) -> Reading | None:
        reading = reading_of(told)
        if isinstance(reading, NoNumber):
            self._edges.begins("number", code, type=reading.type_name)
            return None
        if reading is not None:
            self._edges.is_over("number", code)
            scale = self._asked.scaling.get(code)
            if scale is not None:
                reading = reading._replace(value=reading.value * scale.factor + scale.offset)
        return reading

    def _row(self, code: PointCode, reading: Reading) -> list[tuple[Row, int | None]]:
        """Return the reading as a row with the source time that `at` stands in for, if it does."""
        last = self._last.get(code)
        if last is not None and _same(last.reading, reading) and reading.stamp is not None:
            return []
        at, quality, original = reading.stamp, reading.quality, None
        if not self._live and at is None:
            self._edges.begins("stamp", code)
            return []
        self._edges.is_over("stamp", code)
        if self._live and (at is None or not self._is_near(at)):
            at, quality, original = self._span[1], quality | Quality.CLOCK, at
            at = max(at, last.at + 1) if last is not None else at
        assert at is not None
        if self._live and last is None and self._complete is not None and at <= self._complete:
            # What held when the run began is told for its first instant.
            at, quality, original = self._complete + 1, quality | Quality.CLOCK, at
        self._last[code] = _Last(reading, at)
        return [((code, at, reading.value, int(quality)), original)]

    def _is_near(self, stamp: int) -> bool:
        return self._span[0] - NEAR_MS <= stamp <= self._span[1] + NEAR_MS

    def _sets_span(self, message: Message) -> None:
        """Keep the span, gateway time, in which the values of this message were sampled.

        The least of (arrival - server's time) is the offset of the server's clock: a message that
        was held up on its way does not look like a wrong clock.
        """
        self._offsets.append(message.now - message.published)
        published = min(message.published + min(self._offsets), message.now)
        self._span = (min(self._span[1], published), published)

    def _completes(self, message: Message) -> int | None:
        if message.more:
            return None
        if self._played:
            return self._clock
        is_near = abs(min(self._offsets)) <= NEAR_MS
        published = message.published if is_near else self._span[1]
        return min(published, message.now) - self._asked.settle_ms

    def _hears_clock(self, told: ua.DataValue) -> None:
        """Take the clock node's value; the first says from where on this run is complete."""
        clock = clock_of(told)
        if not self._clock_seen:
            self._clock_seen = True
            if clock is not None:
                self._complete = max(clock, clock if self._after is None else self._after)
                begins = self._complete
                self._waiting = [one for one in self._waiting if one[0][1] > begins]
        if clock is not None:
            self._clock = max(clock, self._clock or clock)

    def _batch(self, rows: list[tuple[Row, int | None]], reached: int | None) -> Batch | None:
        if self._complete is None:
            self._waiting += rows
            if reached is None:
                return None
            # The clock node was empty when the run began: all that came since is here.
            first = min((row[1] for row, _ in self._waiting), default=reached)
            begins = min(first - 1, reached)
            self._complete = begins if self._after is None else max(begins, self._after)
            rows = []
        rows, self._waiting = self._waiting + rows, []
        start = self._complete
        end = start if reached is None else max(start, reached)
        gap, self._told = not self._told, True
        if gap and self._played:
            # Initial values that came together with the clock's lie in the hole before the run.
            rows = [one for one in rows if one[0][1] > start]
        lost = []
        if gap and self._after is not None and self._after < start:
            lost.append((self._after, start))
        if self._dropped and start < end:
            lost.append((start, end))
            self._dropped = False
        behind = [] if gap else [row for row, _ in rows if row[1] <= start]
        if behind:
            self._edges.begins("behind", first=behind[0][0], ms=start - behind[0][1])
        elif gap:
            self._edges.is_over("behind")
        self._complete = end
        return Batch(
            rows=tuple(row for row, _ in rows),
            complete_from=start,
            complete_to=end,
            gap=gap,
            lost=tuple(lost),
            originals={n: told for n, (_, told) in enumerate(rows) if told is not None},
        )


def _same(one: Reading, other: Reading) -> bool:
    same_value = one.value == other.value or (one.value != one.value and other.value != other.value)
    return same_value and one.quality == other.quality and one.stamp == other.stamp
