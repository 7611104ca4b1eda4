"""Clocks that are wrong, at the way in: refused where it matters, told once, never the newest."""

from __future__ import annotations

from meltwatch.model.ids import EpochId
from meltwatch.transport import lane
from meltwatch.transport.answer import event_of_frame
from meltwatch.transport.epoch import NO_EPOCH
from tests.present.intake_stage import (
    AHEAD,
    EPOCH,
    GW,
    NOW,
    Node,
    assert_refused,
    assert_taken,
    frame,
)

DAY_MS = 86_400_000
TOMORROW = EpochId(f"{NOW + DAY_MS:012x}-00000000000000aa")


def test_an_epoch_far_ahead_is_refused_and_does_not_become_the_newest(node: Node) -> None:
    """Rightly signed, it would make whatever the gateway opens later back-fill, for a day."""
    assert_taken(node, 1)
    for response in (
        node.post(frame(1, epoch=TOMORROW)),
        node.ask("GET", f"/v1/sources/{GW}/{TOMORROW}"),
    ):
        told = assert_refused(response, 422, "frame.epoch_ahead")
        assert (told["newest_epoch"], told["server_time"], told["retry"]) == (EPOCH, NOW, False)
    assert node.core.stream.newest_epoch(GW) == EPOCH
    assert_taken(node, 2)
    assert not node.frames()[-1].backfill


def test_an_epoch_behind_a_newest_one_that_lies_ahead_is_taken(node: Node) -> None:
    node.core.stream.open_epoch(GW, TOMORROW)
    behind = EpochId(f"{NOW + DAY_MS + 1:012x}-00000000000000bb")
    assert node.post(frame(1, epoch=behind)).status_code == 200
    assert not node.frames()[-1].backfill


def test_a_frame_far_ahead_is_refused_for_good(node: Node) -> None:
    """Sent again a day later it would be taken, with instants that never were."""
    near = assert_refused(node.post(frame(1, complete_to=AHEAD)), 422, "frame.complete_to_ahead")
    far = node.post(frame(1, complete_to=NOW + DAY_MS))
    assert assert_refused(far, 422, "frame.complete_to_ahead")["retry"] is False
    assert near["retry"] is True
    assert event_of_frame(422, far.content) == lane.Rejected("frame.complete_to_ahead", False)


def test_asking_before_every_epoch_tells_the_newest_and_says_no_hello(node: Node) -> None:
    path = f"/v1/sources/{GW}/{NO_EPOCH}"
    assert node.ask("GET", path).json()["newest_epoch"] is None
    assert node.core.stream.newest_epoch(GW) is None
    assert_taken(node, 1)
    told = node.ask("GET", path).json()
    assert (told["newest_epoch"], told["last_seq"], told["server_time"]) == (EPOCH, 0, NOW)


def test_a_wrong_clock_is_told_once_when_it_begins_and_once_when_it_is_over(node: Node) -> None:
    for seq, off_ms in enumerate((0, 59_000, DAY_MS, DAY_MS + 1, 0, -DAY_MS), 1):
        assert node.post(frame(seq), sent_at=str(NOW + off_ms)).status_code == 200
    told = [(one.happening.subject, one.happening.key) for one in node.notices()]
    keys = ["gateway_clock_wrong", "gateway_clock_right", "gateway_clock_wrong"]
    assert told == [(GW, key) for key in keys]
    assert node.notices()[0].happening.params == {"ahead_ms": DAY_MS}
    for _ in range(2):
        assert node.post(frame(1, epoch=TOMORROW)).status_code == 422
    assert len(node.notices()) == 3
