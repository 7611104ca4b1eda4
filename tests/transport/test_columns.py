"""Columns say what rows say: the same samples to the byte, the same rows in quarantine."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # ships without types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meltwatch.model.sample import batch_of
from meltwatch.transport import arrow
from meltwatch.transport.admit import admit
from meltwatch.transport.columns import NOT_TOLD, Arrays, Columns, TypedColumns, columns_of
from meltwatch.transport.errors import (
    FrameRefused,
    LayoutUnknown,
    Malformed,
    TooLarge,
    Unencodable,
    Unreadable,
)
from meltwatch.transport.frame import decode, encode, read
from meltwatch.transport.intake import Limits, check_announcement, check_header
from meltwatch.transport.judge import Admitted, admit_each
from meltwatch.transport.layouts import (
    KEPT_OF_EACH,
    Layouts,
    announcement,
    layout_of,
    read_announcement,
)
from meltwatch.transport.rows import rows_of
from tests.transport.given import (
    BOOK,
    FLOW,
    FOREIGN,
    FRAME,
    GATEWAY,
    KEYS,
    NOW,
    PHASE,
    PLANT,
    PRESSURE,
    frame,
    signed,
    take,
)

AT = FRAME.complete_to
POINTS = (PRESSURE, FLOW, PHASE, FOREIGN, "?")
TYPED_ROWS = st.lists(
    st.tuples(
        st.sampled_from(POINTS),
        st.integers(NOW - 10_000, NOW + 6_000) | st.sampled_from([-1, 0, 2**53 - 1, 2**53]),
        st.none() | st.floats(-1, 2) | st.floats(),
        st.sampled_from([0, 1, 2, 64, 511, 512, 0xFFFF]),
    ),
    max_size=12,
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.sampled_from([10**400, 2**64, -1, "", "MPa", [], {}]),
)
ODD_ROWS = st.lists(
    st.tuples(
        st.sampled_from(POINTS),
        st.integers(NOW - 10_000, NOW + 6_000) | ODD,
        st.floats(-1, 500) | ODD,
        st.sampled_from([0, 1, 64, None]) | ODD,
        st.sampled_from([None, "MPa", "m3/h"]) | ODD,
    ),
    max_size=8,
)
MARKS = st.sampled_from(["real", "test"])


def in_columns(rows: list[Any], **changes: Any) -> bytes:
    """Return the body that a stranger makes of rows: JSON columns with their points."""
    points = list(dict.fromkeys(row[0] for row in rows))
    cells = list(zip(*rows, strict=True)) or [(), (), ()]
    names = ("point", "at", "value", "quality", "unit")
    told = dict(zip(names, (list(one) for one in cells), strict=False))
    told["point"] = [points.index(one) for one in told["point"]]
    fields = json.loads(encode(FRAME)) | {"v": 2, "points": points, "columns": told} | changes
    del fields["rows"]
    return json.dumps(fields).encode()


def in_arrow(rows: list[Any], **changes: Any) -> bytes:
    """Return the same as an Arrow stream: columns of one type each."""
    points = tuple(dict.fromkeys(row[0] for row in rows))
    value = [row[2] for row in rows]
    arrays = Arrays(
        point=np.array([points.index(row[0]) for row in rows], np.int32),
        at=np.array([row[1] for row in rows], np.int64),
        value=np.array(value, np.float64),
        null=np.array([one is None for one in value], np.bool_),
        quality=np.array([row[3] for row in rows], np.uint16),
    )
    return encode(frame(v=2, points=points, columns=arrays, rows=[], **changes))


def in_rows(rows: list[Any], mark: str) -> bytes:
    return json.dumps(json.loads(encode(FRAME)) | {"rows": rows, "mark": mark}).encode()


def judged(body: bytes) -> Admitted:
    """Return what a body's rows become, by every reader and both judges alike."""
    quick, plain = read(body), decode(body)
    fast = admit(quick, BOOK, NOW)
    assert fast == admit_each(quick, BOOK, NOW) == admit(plain, BOOK, NOW)
    assert fast == admit_each(plain, BOOK, NOW)
    return fast


@given(TYPED_ROWS, MARKS)
def test_rows_json_columns_and_arrow_are_the_same_samples_and_the_same_quarantine(
    rows: list[Any], mark: str
) -> None:
    told = judged(in_rows(rows, mark))
    assert judged(in_columns(rows, mark=mark)) == told
    assert judged(in_arrow(rows, mark=mark)) == told


@given(ODD_ROWS, MARKS)
def test_whatever_a_cell_holds_costs_its_row_as_in_rows(rows: list[Any], mark: str) -> None:
    assert judged(in_columns(rows, mark=mark)) == judged(in_rows(rows, mark))


@given(st.lists(st.integers(-3, 5) | ODD, max_size=6), st.booleans())
def test_a_place_that_is_none_is_an_unknown_point(places: list[Any], typed: bool) -> None:
    columns = {"point": places, "at": [AT] * len(places), "value": [0.5] * len(places)}
    fields = json.loads(in_columns([[PRESSURE, AT, 0.5]] * 3)) | {"columns": columns}
    told = judged(json.dumps(fields).encode())
    sound = [one for one in places if type(one) is int and one == 0]
    assert len(told.samples) == len(sound)
    assert {one.key for one in told.quarantined} <= {"row.unknown_point"}
    if typed and all(type(one) is int and abs(one) < 9 for one in places):
        arrays = Arrays(
            point=np.array(places, np.int32),
            at=np.full(len(places), AT),
            value=np.full(len(places), 0.5),
        )
        body = encode(frame(v=2, points=(PRESSURE,), columns=arrays, rows=[]))
        assert judged(body) == judged(in_columns([], points=[PRESSURE], columns=columns))


def test_what_is_null_in_arrow_is_null_or_costs_its_row() -> None:
    table = {
        "point": pa.array([0, None, 0, 0, 0], pa.int32()),
        "at": pa.array([AT, AT, None, AT, AT], pa.int64()),
        "value": pa.array([0.5, 0.5, 0.5, None, 0.25], pa.float64()),
        "quality": pa.array([1, 0, 0, 0, None], pa.uint16()),
        "source_at": pa.array([None, 5, 5, 5, 2**60], pa.int64()),
    }
    told = judged(stream(table))
    assert [(one.row, one.key) for one in told.quarantined] == [
        (1, "row.unknown_point"),
        (2, "row.at_not_an_instant"),
        (4, "row.source_at_not_an_instant"),
    ]
    assert next(row[1:] for row in told.samples.rows()) == (AT, 0.5, 1)
    assert math.isnan(list(told.samples.rows())[1][2])


def test_a_source_time_is_kept_as_it_came_or_costs_its_row() -> None:
    rows = [[PRESSURE, AT, 0.5], [PRESSURE, AT, 0.6], [PRESSURE, AT, 0.7], [PRESSURE, AT, 0.8]]
    body = json.loads(in_columns(rows))
    body["columns"]["source_at"] = [None, AT - 7, -1, "noon"]
    told = judged(json.dumps(body).encode())
    assert [(one.row, one.key) for one in told.quarantined] == [
        (2, "row.source_at_not_an_instant"),
        (3, "row.source_at_not_an_instant"),
    ]


HEAD = {name: one for name, one in json.loads(encode(FRAME)).items() if name != "rows"}


def stream(columns: dict[str, Any], batches: int = 1, **options: Any) -> bytes:
    """Return an Arrow stream as a stranger may write it."""
    head = json.dumps(HEAD | {"v": 2, "points": [PRESSURE]}).encode()
    table = pa.table(columns).replace_schema_metadata({b"meltwatch": head})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(batches):
            writer.write_batch(table.to_batches()[0])
    return bytes(sink.getvalue())


SOUND = {
    "point": pa.array([0], pa.int32()),
    "at": pa.array([AT], pa.int64()),
    "value": pa.array([0.5], pa.float64()),
}


UNEVEN = {"point": [0], "at": [], "value": []}


@pytest.mark.parametrize(
    ("body", "kind", "key"),
    [
        (stream(SOUND, compression="zstd"), Unreadable, "frame.arrow_broken"),
        (stream(SOUND, compression="lz4"), Unreadable, "frame.arrow_broken"),
        (stream(SOUND, batches=2), Unreadable, "frame.arrow_broken"),
        (stream(SOUND)[:-300], Unreadable, "frame.arrow_broken"),
        (stream(SOUND)[:5], Unreadable, "frame.arrow_broken"),
        (stream(SOUND | {"at": pa.array([AT], pa.float64())}), Malformed, "frame.arrow_columns"),
        (stream(SOUND | {"also": pa.array([AT])}), Malformed, "frame.arrow_columns"),
        (stream({"at": SOUND["at"]}), Malformed, "frame.arrow_columns"),
        (in_columns([[PRESSURE, AT, 1]], layout="l-1"), Malformed, "frame.points_and_layout"),
        (in_columns([[PRESSURE, AT, 1]], points=None), Malformed, "frame.field_missing"),
        (in_columns([[PRESSURE, AT, 1]], points=["a", "a"]), Malformed, "layout.point_twice"),
        (in_columns([[PRESSURE, AT, 1]], points="a"), Malformed, "frame.field_type"),
        (
            in_columns([], columns=UNEVEN),
            Malformed,
            "frame.columns_uneven",
        ),
        (in_columns([], columns={"point": [], "at": []}), Malformed, "frame.field_type"),
        (in_columns([], v=3), Malformed, "frame.version_unknown"),
        (in_columns([], v=1), Malformed, "frame.field_missing"),
        (
            in_columns([[PRESSURE, AT, "@"]]).replace(b'"@"', b"[" * 40 + b"]" * 40),
            Unreadable,
            "frame.json_too_deep",
        ),
    ],
)
def test_what_is_no_frame_of_columns_is_refused(
    body: bytes, kind: type[FrameRefused], key: str
) -> None:
    for reader in (read, decode):
        with pytest.raises(kind) as refused:
            reader(body)
        assert refused.value.key == key


@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_damaged_arrow_is_a_frame_or_refused(place: int, told: bytes) -> None:
    whole = stream(SOUND)
    place = min(place, len(whole))
    body = whole[:place] + told + whole[place + len(told) :]
    try:
        judged(body)
    except FrameRefused:
        return


def test_an_announced_list_is_named_by_its_id_and_forgotten_ones_are_asked_for() -> None:
    layouts = Layouts()
    points = (PRESSURE, FLOW)
    columns = columns_of(batch_of([(FLOW, AT, 2.5, 0)]), points, {})
    told = frame(v=2, layout=layout_of(points), columns=columns, rows=[])
    body = encode(told)
    with pytest.raises(LayoutUnknown) as refused:
        take(body)
    assert refused.value.retry
    layouts.keep(GATEWAY, points)
    checked = check_header(
        body, signed(body), keys=KEYS, sources=PLANT.sources, now=NOW, layouts=layouts
    )
    assert list(admit(checked.frame, BOOK, NOW).samples.rows()) == [(FLOW, AT, 2.5, 0)]
    for n in range(KEPT_OF_EACH):
        layouts.keep(GATEWAY, (PRESSURE, msgspec.convert(f"p{n}", type(FLOW))))
    assert layouts.get(GATEWAY, layout_of(points)) is None


def test_the_id_is_made_from_the_list_and_is_of_this_form_for_ever() -> None:
    assert layout_of([PRESSURE, FLOW]) == "sm3-a23f3b14700330b67d4c82770306ad6ac47d7922"
    assert layout_of([FLOW, PRESSURE]) != layout_of([PRESSURE, FLOW])
    assert layout_of(["a,b"]) != layout_of(["a", "b"])


def test_an_announcement_is_signed_and_of_its_own_gateway() -> None:
    body = announcement(GATEWAY, [PRESSURE, FLOW])
    told = check_announcement(body, signed(body), keys=KEYS, sources=PLANT.sources)
    assert told.points == [PRESSURE, FLOW]
    with pytest.raises(FrameRefused):
        check_announcement(body, signed(body + b" "), keys=KEYS, sources=PLANT.sources)
    with pytest.raises(FrameRefused):
        check_announcement(body, signed(body, "gw-2.a"), keys=KEYS, sources=PLANT.sources)
    with pytest.raises(TooLarge):
        check_announcement(
            body, signed(body), keys=KEYS, sources=PLANT.sources, limits=Limits(body_bytes=10)
        )
    ours = [announcement(GATEWAY, points) for points in (["a", "a"], [""])]
    for odd in (b"", b"[]", b'{"v":2}', *ours):
        with pytest.raises((Malformed, Unreadable)):
            read_announcement(odd)


def test_ours_in_columns_are_what_ours_in_rows_are() -> None:
    rows = [
        (FLOW, AT, 2.5, 0),
        (PRESSURE, AT, math.nan, 0),
        (FLOW, AT, math.inf, 1),
        (PHASE, AT, 3.0, 32),
    ]
    batch = batch_of(rows)
    columns = columns_of(batch, (PHASE, PRESSURE, FLOW), {3: AT - 5})
    body = encode(frame(v=2, points=(PHASE, PRESSURE, FLOW), columns=columns, rows=[]))
    assert isinstance(read(body).columns, TypedColumns)
    assert judged(body) == judged(encode(frame(rows=rows_of(batch))))
    assert json.loads(body)["columns"]["source_at"] == [None, None, None, AT - 5]
    with pytest.raises(Unencodable):
        encode(frame(v=2, points=(), columns=Columns(point=[], at=[], value=[math.nan]), rows=[]))


def test_a_frame_without_rows_says_that_nothing_happened() -> None:
    body = encode(frame(v=2, columns=columns_of(batch_of([]), (), {}), rows=[]))
    assert judged(body).quarantined == ()
    assert take(body).frame.count == 0


def test_arrow_is_split_as_it_was_joined() -> None:
    arrays = Arrays(
        point=np.array([0], np.int32),
        at=np.array([AT], np.int64),
        value=np.array([0.5]),
        source_at=np.array([NOT_TOLD]),
    )
    head, told = arrow.split(arrow.join(b"head", arrays))
    assert head == b"head"
    assert told.cells(0) == [0, AT, 0.5, None, None, None]
