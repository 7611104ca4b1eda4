"""The way in, over HTTP: what is wrong is refused with words, uses no number, disturbs nothing.

Every scene has a real ledger behind it. After whatever came, the next good frame is taken; and what
the server says is what a source's own lane reads out of it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.turns import Room
from meltwatch.model.encoding import record_of
from meltwatch.model.ids import PointCode
from meltwatch.model.log import ConfigRecord, SamplesRecord
from meltwatch.transport import lane
from meltwatch.transport.answer import event_of_frame, event_of_standing
from tests.present.intake_stage import (
    AHEAD,
    EPOCH,
    GW,
    NOW,
    OTHER,
    PLANT,
    Node,
    assert_refused,
    assert_taken,
    frame,
)

BROKEN = frame(2)[:-1]
REFUSALS: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("broken JSON", BROKEN, {}, 400, "frame.json_broken"),
    ("no UTF-8", frame(2).replace(b"gateway", b"g\xffteway", 1), {}, 400, "frame.json_broken"),
    ("nothing", b" ", {}, 400, "frame.json_broken"),
    ("a list", b"[1]", {}, 400, "frame.not_an_object"),
    (
        "nested",
        frame(2, "@").replace(b'"@"', b"[" * 40 + b"]" * 40),
        {},
        400,
        "frame.json_too_deep",
    ),
    ("no key", frame(2), {"key": ""}, 401, "frame.key_missing"),
    ("unknown key", frame(2), {"key": "nobody's"}, 401, "frame.key_unknown"),
    ("no signature", frame(2), {"signature": ""}, 401, "frame.signature_missing"),
    ("no hexadecimal", frame(2), {"signature": "abc"}, 401, "frame.signature_malformed"),
    ("wrong signature", frame(2), {"signature": "0" * 64}, 401, "frame.signature_wrong"),
    ("wrong key", frame(2), {"key": "k2"}, 403, "frame.key_of_another"),
    ("unknown gateway", frame(2, gateway="gone"), {"key": "k3"}, 403, "frame.gateway_unknown"),
    ("too large", frame(2) + b" " * 4_000, {}, 413, "frame.body_too_large"),
    ("too many rows", frame(2, *[[0]] * 51), {}, 413, "frame.too_many_rows"),
    ("field missing", frame(2).replace(b'"mark"', b'"make"'), {}, 422, "frame.field_missing"),
    ("field unknown", frame(2, also=1), {}, 422, "frame.field_unknown"),
    ("wrong type", frame(2, mark="drill"), {}, 422, "frame.field_type"),
    ("NaN for an instant", frame(2, complete_to="NaN"), {}, 422, "frame.field_type"),
    ("newer format", frame(2, v=3), {}, 422, "frame.version_unknown"),
    ("number 0", frame(0), {}, 422, "frame.seq_below_one"),
    ("reversed", frame(2, complete_to=5), {}, 422, "frame.interval_reversed"),
    ("future", frame(2, complete_to=AHEAD), {}, 422, "frame.complete_to_ahead"),
    ("lost in future", frame(2, lost=[[1, AHEAD]]), {}, 422, "frame.lost_ahead"),
    ("a gap", frame(3), {}, 409, "frame.gap"),
]


@pytest.mark.parametrize(
    ("body", "headers", "status", "key"),
    [one[1:] for one in REFUSALS],
    ids=[one[0] for one in REFUSALS],
)
def test_a_refused_frame_uses_no_number_and_disturbs_nothing(
    node: Node, body: bytes, headers: dict[str, str], status: int, key: str
) -> None:
    assert_taken(node, 1)
    response = node.post(body, **headers)
    told = assert_refused(response, status, key)
    assert told["server_time"] == NOW
    read = event_of_frame(status, response.content)
    assert read == lane.Gap(2) if key == "frame.gap" else isinstance(read, lane.Rejected), read
    assert node.last_seq() == 1
    assert node.notices() == []
    assert_taken(node, 2)


def test_a_gap_tells_where_to_resume(node: Node) -> None:
    assert_taken(node, 1)
    assert node.post(frame(7)).json()["expected"] == 2


AT = NOW - 58_000
GOOD = ["t", AT, 55.0]
ROWS: list[tuple[str, Any, str]] = [
    ("no row", 5, "row.shape"),
    ("two cells", ["t", AT], "row.shape"),
    ("unknown point", ["x", AT, 1.0], "row.unknown_point"),
    ("another's point", ["u", AT, 1.0], "row.foreign_point"),
    ("text for an instant", ["t", "now", 1.0], "row.at_not_an_instant"),
    ("NaN for an instant", ["t", "NaN", 1.0], "row.at_not_an_instant"),
    ("future", ["t", NOW + 5_001, 1.0], "row.at_ahead"),
    ("text for a value", ["t", AT, "high"], "row.value_not_a_number"),
    ("true for a value", ["t", AT, True], "row.value_not_a_number"),
    ("NaN", ["t", AT, "NaN"], "row.value_nan"),
    ("infinity", ["t", AT, "Infinity"], "row.value_infinite"),
    ("minus infinity", ["t", AT, "-Infinity"], "row.value_infinite"),
    ("beyond float64", ["t", AT, "1e999"], "row.value_infinite"),
    ("unknown bits", ["t", AT, 1.0, 1 << 14], "row.quality_unknown"),
    ("wrong unit", ["t", AT, 1.0, 0, "K"], "row.unit_mismatch"),
]


@pytest.mark.parametrize(("row", "key"), [one[1:] for one in ROWS], ids=[one[0] for one in ROWS])
def test_a_bad_row_is_quarantined_and_its_frame_taken(node: Node, row: Any, key: str) -> None:
    assert_taken(node, 1)
    body = frame(2, GOOD, row, GOOD)
    response = node.post(body)
    assert response.status_code == 200, response.text
    told = response.json()
    assert (told["accepted"], told["quarantined"], told["last_seq"]) == (2, [[1, key]], 2)
    kept = node.frames()[-1]
    assert kept.evidence is not None
    assert (kept.evidence.body, kept.evidence.quarantined) == (body, ((1, key),))
    assert [value for _, _, value, _ in kept.samples.rows()] == [55.0, 55.0]
    assert_taken(node, 3)


def test_the_same_frame_again_is_answered_alike_and_does_nothing(node: Node) -> None:
    assert_taken(node, 1)
    first = node.post(frame(2, GOOD))
    effects = node.core.partition.effects(0, 1_000)
    assert node.post(frame(2, GOOD)).json() == first.json()
    assert [one.seq for one in node.frames()] == [1, 2]
    assert node.core.partition.effects(0, 1_000) == effects
    assert_taken(node, 3)


def test_a_repeat_is_answered_from_what_was_stored_whatever_the_plant_is_now(node: Node) -> None:
    body = frame(1, GOOD, ["new", AT, 1.0])
    assert (first := node.post(body).json())["quarantined"] == [[1, "row.unknown_point"]]
    points = {**PLANT.points, PointCode("new"): PLANT.points[PointCode("t")]}
    wider = msgspec.structs.replace(PLANT, points=points)
    config = ConfigRecord(received_at=NOW, plant=wider, risk_model=default_risk_model())
    node.core.take_own(config)
    assert node.post(body).json() == first
    assert node.post(frame(2, GOOD, ["new", AT, 1.0])).json()["quarantined"] == []


def test_a_conflict_is_kept_aside_said_aloud_and_disturbs_nothing(node: Node) -> None:
    assert_taken(node, 1)
    other = frame(1, ["t", AT, 61.5])
    response = node.post(other)
    assert_refused(response, 409, "frame.conflict")
    assert event_of_frame(409, response.content) == lane.Conflict()
    (kept,) = node.core.stream.conflicts(0, 10)
    told = record_of(kept.data)
    assert isinstance(told, SamplesRecord)
    assert told.evidence is not None
    assert (told.evidence.body, kept.source, kept.seq) == (other, f"{GW}/{EPOCH}", 1)
    (notice,) = node.notices()
    assert (notice.happening.key, notice.happening.subject) == ("frame_conflict", GW)
    assert notice.happening.params == {"epoch": EPOCH, "seq": 1}
    assert node.frames()[0].evidence is not None
    assert_taken(node, 2)


def test_the_same_conflict_again_is_told_once_until_another_comes(node: Node) -> None:
    assert_taken(node, 1)
    first, second = frame(1, ["t", AT, 61.5]), frame(1, ["t", AT, 62.5])
    for body in (first, first, second, first, second):
        assert_refused(node.post(body), 409, "frame.conflict")
    assert [one.happening.params["seq"] for one in node.notices()] == [1, 1]
    assert len(node.core.stream.conflicts(0, 10)) == 2
    assert_taken(node, 2)


def test_one_gateways_mistakes_do_not_touch_another(node: Node) -> None:
    other = frame(1, ["u", AT, 1.0], gateway=OTHER)
    for bad in (BROKEN, frame(5), frame(1, complete_to=AHEAD)):
        assert node.post(bad).status_code >= 400
    assert node.post(other, key="k2").json()["last_seq"] == 1
    assert_refused(node.post(frame(3)), 409, "frame.gap")
    assert_refused(node.post(other.replace(b"1.0", b"2.0"), key="k2"), 409, "frame.conflict")
    assert node.post(frame(1)).json()["last_seq"] == 1


def test_too_much_waiting_is_busy_and_loses_nothing(busy_node: Node) -> None:
    most = Room().frames_of_one
    bodies = [frame(seq) for seq in range(1, most + 4)]
    responses = busy_node.all_before_it_runs(bodies, refused=3)
    assert [one.status_code for one in responses] == [200] * most + [429] * 3
    told = assert_refused(responses[-1], 429, "frame.busy")
    assert responses[-1].headers["retry-after"] == "1"
    assert event_of_frame(429, responses[-1].content) == lane.Busy(told["after_ms"])
    for seq in range(most + 1, most + 4):
        assert_taken(busy_node, seq)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method_names_the_right_one(node: Node, method: str) -> None:
    response = node.ask(method, "/v1/frames", frame(1))
    assert_refused(response, 405, "route.method")
    assert response.headers["allow"] == "POST"
    assert node.ask("POST", f"/v1/sources/{GW}/{EPOCH}").headers["allow"] == "GET"
    assert_taken(node, 1)


@pytest.mark.parametrize("path", ["/", "/v1/frame", "/v1/frames/", "/v1/sources/gateway", "/%ff"])
def test_an_unknown_path_is_said_to_be_one(node: Node, path: str) -> None:
    assert_refused(node.ask("POST", path, frame(1)), 404, "route.unknown")
    assert_taken(node, 1)


def test_asking_tells_how_far_the_server_is(node: Node) -> None:
    assert_taken(node, 1)
    response = node.ask("GET", f"/v1/sources/{GW}/{EPOCH}")
    assert response.json() == {
        "gateway": GW,
        "epoch": EPOCH,
        "last_seq": 1,
        "newest_epoch": EPOCH,
        "server_time": NOW,
    }
    assert event_of_standing(200, response.content, GW, EPOCH) == lane.LastSeq(1)


ASKED: list[tuple[str, str, dict[str, str], int, str]] = [
    ("no key", EPOCH, {"key": ""}, 401, "frame.key_missing"),
    ("wrong signature", EPOCH, {"signature": "0" * 64}, 401, "frame.signature_wrong"),
    ("another's key", EPOCH, {"key": "k2"}, 403, "frame.key_of_another"),
    ("no epoch", "zzz", {}, 422, "frame.field_type"),
    ("an epoch in capitals", EPOCH.upper(), {}, 422, "frame.field_type"),
]


@pytest.mark.parametrize(
    ("epoch", "headers", "status", "key"),
    [one[1:] for one in ASKED],
    ids=[one[0] for one in ASKED],
)
def test_a_refused_hello_opens_nothing(
    node: Node, epoch: str, headers: dict[str, str], status: int, key: str
) -> None:
    """An epoch that sorts behind every real one would make all that comes back-fill, for ever."""
    assert_taken(node, 1)
    assert_refused(node.ask("GET", f"/v1/sources/{GW}/{epoch}", b"", **headers), status, key)
    assert node.core.stream.newest_epoch(GW) == EPOCH
    assert_taken(node, 2)
    assert not node.frames()[-1].backfill
