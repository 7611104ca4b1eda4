"""A run's batches: instants, completeness and heartbeats, without a server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.status_codes import StatusCodes

from meltwatch.collect.opcua.port import Batch, Edges, OpcUa, Report, Scaling
from meltwatch.collect.opcua.reading import NoNumber, Reading, ms_of, reading_of, time_of
from meltwatch.collect.opcua.run import Message, Run
from meltwatch.model.ids import PointCode
from meltwatch.model.quality import Quality
from tests.collect.opcua.stage import FLOW, PRESSURE

T0 = 1_800_000_000_000
LIVE = OpcUa(endpoint="opc.tcp://x", mapping={FLOW: "i=1", PRESSURE: "i=2"}, settle_ms=1000)
PLAYED = OpcUa(
    endpoint="opc.tcp://x", mapping=LIVE.mapping, domain="recorded", clock_node="ns=2;s=clock"
)
OVERFLOW = 0x480
CLOCKED = int(Quality.CLOCK)
Told = tuple[PointCode | None, ua.DataValue]


def value(number: object, stamp: int | None, status: int = 0, kind: Any = None) -> ua.DataValue:
    return ua.DataValue(
        ua.Variant(number, kind),
        StatusCode=ua.StatusCode(ua.UInt32(status)),
        SourceTimestamp=None if stamp is None else time_of(stamp),
    )


def clock(at: int | None) -> Told:
    if at is None:
        return None, ua.DataValue(
            StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadWaitingForInitialData))
        )
    return None, value(time_of(at), at)


class Heard:
    """A run with what it reports."""

    def __init__(self, asked: OpcUa, after: int | None = None) -> None:
        self.reports: list[Report] = []
        self.run = Run(asked, T0, after, Edges(self.reports.append))

    def heard(
        self,
        values: Sequence[Told] = (),
        now: int = T0,
        published: int | None = None,
        *,
        more: bool = False,
    ) -> Batch | None:
        sent = now if published is None else published
        return self.run.heard(Message(list(values), sent, now, more))

    def sure(
        self,
        values: Sequence[Told] = (),
        now: int = T0,
        published: int | None = None,
        *,
        more: bool = False,
    ) -> Batch:
        batch = self.heard(values, now, published, more=more)
        assert batch is not None
        return batch


def test_a_live_message_completes_to_the_servers_time_less_what_settles() -> None:
    told = Heard(LIVE)
    first = told.sure(now=T0 + 10)
    assert (first.gap, first.complete_from, first.complete_to) == (True, T0, T0)
    later = told.sure([(FLOW, value(1.5, T0 + 2_900))], now=T0 + 3_010, published=T0 + 3_000)
    assert not later.gap
    assert later.rows == ((FLOW, T0 + 2_900, 1.5, 0),)
    assert (later.complete_from, later.complete_to) == (T0, T0 + 2_000)


def test_a_message_with_more_to_come_completes_nothing() -> None:
    told = Heard(LIVE)
    told.heard()
    part = told.sure([(FLOW, value(1, T0 + 5_000))], now=T0 + 5_000, more=True)
    assert (len(part.rows), part.complete_to) == (1, T0)
    assert told.sure(now=T0 + 5_000).complete_to == T0 + 4_000


def test_a_server_ahead_of_the_gateway_completes_by_the_gateways_clock() -> None:
    told = Heard(LIVE)
    assert told.sure(now=T0 + 3_000, published=T0 + 4_500).complete_to == T0 + 2_000


@pytest.mark.parametrize("off", [-3_600_000, 3_600_000])
def test_a_wrong_clock_at_the_server_gives_gateway_time_and_keeps_the_original(off: int) -> None:
    told = Heard(LIVE)
    told.heard(now=T0, published=T0 + off)
    batch = told.sure([(FLOW, value(1, T0 + 5_000 + off))], T0 + 5_000, T0 + 5_000 + off)
    assert batch.rows == ((FLOW, T0 + 5_000, 1.0, CLOCKED),)
    assert batch.originals == {0: T0 + 5_000 + off}
    assert batch.complete_to == T0 + 4_000


def test_a_message_held_up_on_its_way_keeps_its_source_times_and_completes_no_further() -> None:
    told = Heard(LIVE)
    told.heard(now=T0)
    batch = told.sure([(FLOW, value(1, T0 + 900))], now=T0 + 9_000, published=T0 + 1_000)
    assert batch.rows == ((FLOW, T0 + 900, 1.0, 0),)
    assert batch.complete_to == T0
    assert told.sure(now=T0 + 9_010).complete_to == T0 + 8_010


def test_what_held_before_the_run_is_told_for_its_first_instant() -> None:
    told = Heard(LIVE)
    batch = told.sure([(FLOW, value(1, T0 - 1_500)), (PRESSURE, value(2, T0 - 90_000))], T0 + 10)
    assert batch.rows == ((FLOW, T0 + 1, 1.0, CLOCKED), (PRESSURE, T0 + 10, 2.0, CLOCKED))
    assert batch.originals == {0: T0 - 1_500, 1: T0 - 90_000}


def test_a_heartbeat_tells_a_constant_again_behind_which_every_change_lies() -> None:
    told = Heard(LIVE)
    told.heard([(FLOW, value(7, T0 + 100))], now=T0 + 200)
    told.heard(now=T0 + 4_000)
    beat = told.run.beat([(FLOW, value(7, T0 + 100))], T0 + 4_100)
    assert beat is not None
    assert beat.rows == ((FLOW, T0 + 3_001, 7.0, CLOCKED),)
    assert beat.originals == {0: T0 + 100}
    assert (beat.complete_from, beat.complete_to) == (T0 + 3_000, T0 + 3_000)
    assert told.run.beat([(FLOW, value(7, T0 + 100))], T0 + 4_200) is None
    changed = told.sure([(FLOW, value(8, T0 + 4_150))], now=T0 + 4_300)
    assert changed.rows == ((FLOW, T0 + 4_150, 8.0, 0),)


def test_a_change_that_no_message_tells_is_taken_at_the_second_heartbeat() -> None:
    told = Heard(LIVE)
    told.heard([(FLOW, value(7, T0 + 100))], now=T0 + 200)
    assert told.run.beat([(FLOW, value(8, T0 + 3_000))], T0 + 3_000) is None
    beat = told.run.beat([(FLOW, value(8, T0 + 3_000))], T0 + 6_000)
    assert beat is not None
    assert beat.rows == ((FLOW, T0 + 3_000, 8.0, 0),)


def test_a_heartbeat_of_a_played_source_is_no_sample() -> None:
    told = Heard(PLAYED)
    told.heard([(FLOW, value(7, T0)), clock(None), clock(T0)])
    assert told.run.beat([(FLOW, value(7, T0 + 100))], T0 + 4_000) is None


def test_a_row_behind_what_was_complete_is_kept_and_reported_once() -> None:
    told = Heard(LIVE)
    told.heard([(FLOW, value(1, T0 + 10))], now=T0 + 10)
    told.heard(now=T0 + 5_000)
    for at in (T0 + 3_500, T0 + 3_600):
        late = told.sure([(FLOW, value(2, at))], now=T0 + 5_010)
        assert [row[1] for row in late.rows] == [at]
    assert [(one.key, one.params["ms"]) for one in told.reports] == [("behind", 500)]


def test_an_overflow_makes_the_interval_lost_and_is_reported_once() -> None:
    told = Heard(LIVE)
    told.heard([(FLOW, value(1, T0 + 10))], now=T0 + 100)
    dropped = told.sure([(FLOW, value(2, T0 + 2_500, OVERFLOW))], now=T0 + 3_000)
    assert dropped.rows == ((FLOW, T0 + 2_500, 2.0, 0),)
    assert dropped.lost == ((T0, T0 + 2_000),)
    again = told.sure([(FLOW, value(3, T0 + 3_500, OVERFLOW))], now=T0 + 4_000)
    assert again.lost == ((T0 + 2_000, T0 + 3_000),)
    assert told.sure([(FLOW, value(4, T0 + 4_500))], now=T0 + 5_000).lost == ()
    assert [(one.key, one.point, one.over) for one in told.reports] == [
        ("overflow", FLOW, False),
        ("overflow", FLOW, True),
    ]


def test_an_overflow_in_a_message_that_completes_nothing_is_not_forgotten() -> None:
    told = Heard(LIVE)
    told.heard()
    assert told.sure([(FLOW, value(2, T0 + 2_500, OVERFLOW))], T0 + 3_000, more=True).lost == ()
    assert told.sure(now=T0 + 3_000).lost == ((T0, T0 + 2_000),)


def test_a_played_source_completes_to_its_clock_node() -> None:
    told = Heard(PLAYED)
    assert told.heard([(FLOW, value(1, T0 + 5)), clock(None)]) is None
    batch = told.sure([(FLOW, value(2, T0 + 9)), (PRESSURE, value(3, T0 + 9)), clock(T0 + 9)])
    assert batch.gap
    assert [row[1:3] for row in batch.rows] == [(T0 + 5, 1.0), (T0 + 9, 2.0), (T0 + 9, 3.0)]
    assert (batch.complete_from, batch.complete_to) == (T0 + 4, T0 + 9)


def test_a_played_source_joined_midway_begins_at_its_clock() -> None:
    told = Heard(PLAYED, after=T0 - 50)
    assert told.heard([(FLOW, value(1, T0 + 5))]) is None
    batch = told.sure([clock(T0 + 5), (FLOW, value(2, T0 + 6)), clock(T0 + 6)])
    assert batch.rows == ((FLOW, T0 + 6, 2.0, 0),)
    assert (batch.complete_from, batch.complete_to) == (T0 + 5, T0 + 6)
    assert batch.lost == ((T0 - 50, T0 + 5),)


def test_what_a_first_message_tells_beside_its_clock_lies_before_the_run() -> None:
    told = Heard(PLAYED, after=T0 - 50)
    batch = told.sure([(FLOW, value(1, T0 + 4)), (PRESSURE, value(2, T0 + 5)), clock(T0 + 5)])
    assert (batch.rows, batch.complete_from, batch.complete_to) == ((), T0 + 5, T0 + 5)


def test_a_played_source_that_begins_again_completes_nothing_twice() -> None:
    told = Heard(PLAYED, after=T0 + 100)
    batch = told.sure([clock(T0), (FLOW, value(1, T0 + 101)), clock(T0 + 101)])
    assert (batch.complete_from, batch.complete_to, batch.lost) == (T0 + 100, T0 + 101, ())


def test_a_played_value_without_source_time_is_reported_once() -> None:
    told = Heard(PLAYED)
    told.heard([(FLOW, value(1, None)), (FLOW, value(2, None)), clock(None)])
    assert [(one.key, one.point) for one in told.reports] == [("stamp", FLOW)]


def test_scaling_and_the_same_value_twice() -> None:
    told = Heard(OpcUa(endpoint="x", mapping=LIVE.mapping, scaling={FLOW: Scaling(0.1, 5)}))
    batch = told.sure([(FLOW, value(100, T0 + 10)), (FLOW, value(100, T0 + 10))], now=T0 + 10)
    assert [row[2] for row in batch.rows] == [15.0]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (value(1.5, T0), (1.5, 0)),
        (value(True, T0), (1.0, 0)),
        (value(7, T0, kind=ua.VariantType.UInt16), (7.0, 0)),
        (value(1.5, T0, StatusCodes.Uncertain), (1.5, Quality.UNCERTAIN)),
        (value(1.5, T0, StatusCodes.BadSensorFailure), (1.5, Quality.BAD)),
        (value(1.5, T0, 0xC0000000), (1.5, Quality.BAD)),
        (value(None, T0, StatusCodes.BadNoCommunication), (math.nan, Quality.BAD)),
        (value(math.nan, T0), (math.nan, Quality.BAD)),
        (value(math.inf, T0, StatusCodes.Uncertain), (math.nan, Quality.BAD)),
        (value(1.5, T0, StatusCodes.GoodLocalOverride), (1.5, Quality.SUBSTITUTED)),
        (
            value(1.5, T0, StatusCodes.UncertainSubstituteValue),
            (1.5, Quality.UNCERTAIN | Quality.SUBSTITUTED),
        ),
    ],
)
def test_a_value_and_its_status(told: ua.DataValue, expected: tuple[float, int]) -> None:
    reading = reading_of(told)
    assert isinstance(reading, Reading)
    assert (reading.value, reading.quality) == pytest.approx(
        (expected[0], int(expected[1])), nan_ok=True
    )
    assert reading.stamp == T0


@pytest.mark.parametrize(
    ("told", "type_name"),
    [
        (value("casting", T0), "String"),
        (value([1.0, 2.0], T0), "Double[]"),
        (value(time_of(T0), T0), "DateTime"),
        (value(None, T0), "Null"),
    ],
)
def test_what_is_no_number_says_what_it_is(told: ua.DataValue, type_name: str) -> None:
    assert reading_of(told) == NoNumber(type_name)


@pytest.mark.parametrize("ms", [0, 1, 999, T0, T0 + 123, 4_102_444_799_999])
def test_instants_go_through_the_protocol_unchanged(ms: int) -> None:
    packed = ua.ua_binary.Primitives.DateTime.pack(time_of(ms))
    assert ms_of(ua.ua_binary.Primitives.DateTime.unpack(Buffer(packed))) == ms
