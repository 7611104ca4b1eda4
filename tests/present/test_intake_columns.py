"""Columns at the way in: a list of points is announced, logged and named; bodies come smaller."""

from __future__ import annotations

import gzip

import pyarrow as pa  # type: ignore[import-untyped]  # ships without types
import pytest

from meltwatch.apps.quarantine import frame_of, kept_rows
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import PointCode
from meltwatch.model.log import LayoutRecord
from meltwatch.model.sample import batch_of
from meltwatch.transport import lane
from meltwatch.transport.answer import event_of_frame, layout_wanted
from meltwatch.transport.columns import columns_of
from meltwatch.transport.frame import Frame, encode
from meltwatch.transport.layouts import Layouts, announcement, layout_of
from tests.present.intake_stage import (
    EPOCH,
    GW,
    NOW,
    PLANT,
    Node,
    assert_refused,
    assert_taken,
    frame,
)

POINTS = (PointCode("t"), PointCode("nowhere"))
LAYOUT = layout_of(POINTS)


def in_columns(seq: int) -> bytes:
    """Return the body of a frame of two rows, the second of a point that no plant has."""
    at = NOW - 600_000 + seq * 1_000
    told = columns_of(batch_of([(POINTS[0], at, 50.0, 0), (POINTS[1], at, 1.0, 0)]), POINTS, {})
    return encode(
        Frame(
            v=2,
            gateway=GW,
            epoch=EPOCH,
            seq=seq,
            mark="real",
            complete_from=at - 1_000,
            complete_to=at,
            layout=LAYOUT,
            columns=told,
        )
    )


def test_a_list_that_is_not_known_is_asked_for_and_then_the_same_bytes_pass(node: Node) -> None:
    body = in_columns(1)
    response = node.post(body)
    told = assert_refused(response, 422, "frame.layout_unknown")
    assert told["retry"] is True
    assert layout_wanted(422, response.content) == LAYOUT
    assert event_of_frame(422, response.content) == lane.Rejected("frame.layout_unknown", True)
    for _ in range(2):
        announced = node.ask("POST", "/v1/layouts", announcement(GW, POINTS))
        assert announced.json() == {"layout": LAYOUT, "server_time": NOW}
    answer = node.post(body).json()
    assert (answer["accepted"], answer["quarantined"]) == (1, [[1, "row.unknown_point"]])
    log = [record_of(one.data) for one in node.core.stream.read(PLANT.enterprise, 0, 100)]
    layouts = [one for one in log if isinstance(one, LayoutRecord)]
    assert [(one.layout, one.points) for one in layouts] == [(LAYOUT, POINTS)], "logged once"
    stored = node.frames()[0]
    assert stored.evidence is not None
    (kept,) = kept_rows(stored, frame_of(stored.evidence, {LAYOUT: POINTS}))
    assert kept.told.startswith('["nowhere"')


def test_an_intake_that_has_forgotten_a_list_is_told_again(node: Node) -> None:
    node.ask("POST", "/v1/layouts", announcement(GW, POINTS))
    assert node.post(in_columns(1)).status_code == 200
    node.intake.layouts = Layouts()
    assert_refused(node.post(in_columns(2)), 422, "frame.layout_unknown")
    node.ask("POST", "/v1/layouts", announcement(GW, POINTS))
    assert node.post(in_columns(2)).json()["last_seq"] == 2


def test_an_announcement_is_proven_like_a_frame(node: Node) -> None:
    body = announcement(GW, POINTS)
    refused = node.ask("POST", "/v1/layouts", body, signature="0" * 64)
    assert_refused(refused, 401, "frame.signature_wrong")
    assert_refused(node.ask("POST", "/v1/layouts", body, key="k2"), 403, "frame.key_of_another")
    assert_refused(node.ask("POST", "/v1/layouts", b"{}"), 422, "layout.malformed")
    twice = announcement(GW, [POINTS[0]] * 2)
    assert_refused(node.ask("POST", "/v1/layouts", twice), 422, "layout.point_twice")
    assert node.ask("GET", "/v1/layouts").status_code == 405


def smaller(body: bytes, way: str) -> bytes:
    if way == "gzip":
        return gzip.compress(body)
    return bytes(pa.Codec("zstd").compress(body, asbytes=True))


@pytest.mark.parametrize("way", ["gzip", "zstd"])
def test_a_compressed_body_is_signed_as_it_was_before(node: Node, way: str) -> None:
    body = frame(1)
    small = smaller(body, way)
    assert node.post(body, encoding=way, sent=small).json()["last_seq"] == 1
    evidence = node.frames()[0].evidence
    assert evidence is not None
    assert evidence.body == body
    broken = node.post(body, encoding=way, sent=small[:-2])
    assert_refused(broken, 400, "frame.encoding_broken")
    assert_refused(node.post(body, encoding="br", sent=small), 415, "frame.encoding_unknown")
    bomb = smaller(bytes(4_001), way)
    assert_refused(node.post(body, encoding=way, sent=bomb), 413, "frame.inflated_too_large")
    assert_taken(node, 2)
