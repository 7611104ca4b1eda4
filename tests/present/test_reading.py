"""Bodies are read within their size, their time and the room; what is refused holds nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from meltwatch.present.reading import Held, Room, read_body
from meltwatch.transport.errors import Busy, FrameRefused, Slow, TooLarge, Unreadable

LIMIT = 1_000


class Sender:
    """A sender of parts of a body; None: it waits for ever, an error: it has gone."""

    def __init__(self, *parts: bytes | OSError | None) -> None:
        self.parts = list(parts)
        self.asked = 0
        self.most_held = 0
        self.room: Room | None = None

    async def __call__(self) -> dict[str, Any]:
        self.asked += 1
        if self.room is not None:
            self.most_held = max(self.most_held, self.room.held)
        part = self.parts.pop(0)
        if part is None:
            await asyncio.Event().wait()
        if isinstance(part, OSError):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(self.parts)}


def read(sender: Sender, room: Room, told: int | None = None, name: str = "k") -> bytes:
    """Read a body and let go of it."""
    held = Held(room, name)
    sender.room = room
    try:
        return asyncio.run(read_body(sender, told, LIMIT, held, within_s=0.05))
    finally:
        held.let_go()
        assert room.held == 0


def test_a_body_is_held_until_it_is_let_go() -> None:
    room = Room(10_000)
    held = Held(room, "k")
    sender = Sender(b"one, ", b"two")
    assert asyncio.run(read_body(sender, 8, LIMIT, held)) == b"one, two"
    assert room.held == 8
    held.let_go()
    assert room.held == 0


@pytest.mark.parametrize(
    ("parts", "told", "kind", "key"),
    [
        ([b"x" * 600, b"x" * 600], None, TooLarge, "frame.body_too_large"),
        ([b"x" * 600, b"x" * 600], 1_200, TooLarge, "frame.body_too_large"),
        ([b"x" * 900, b""], 900, Busy, "frame.busy"),
        ([b"x" * 200, b"x" * 500], None, Busy, "frame.busy"),
        ([b"x", None], 2, Slow, "frame.body_slow"),
        ([None], None, Slow, "frame.body_slow"),
        ([b"x", OSError()], 2, Unreadable, "frame.json_broken"),
    ],
)
def test_what_is_refused_is_read_to_its_end_and_kept_nowhere(
    parts: Sequence[bytes | OSError | None], told: int | None, kind: type[FrameRefused], key: str
) -> None:
    sender, room = Sender(*parts), Room(2_400)
    with pytest.raises(kind) as refused:
        read(sender, room, told)
    assert refused.value.key == key
    assert sender.asked == len(parts), "a sender that is cut off does not hear why"
    assert sender.most_held <= room.most // 4


def test_a_body_without_an_end_is_not_read_for_ever() -> None:
    sender = Sender(*[b"x" * 500] * 100)
    with pytest.raises(TooLarge):
        read(sender, Room(10_000))
    assert sender.asked <= 6


def test_whoever_promises_much_and_sends_little_holds_little() -> None:
    sender = Sender(b"x", b"x", None)
    with pytest.raises(Slow):
        read(sender, Room(100_000), told=900)
    assert sender.most_held == 2


def test_one_sender_does_not_take_the_room_of_another() -> None:
    room = Room(1_000)
    room.hold("flood", 250)
    with pytest.raises(Busy):
        read(Sender(b"x" * 10), room=_fork(room), told=10, name="flood")
    room.hold("other", 250)
    assert room.held == 500


def _fork(room: Room) -> Room:
    """Return a room with as much held of `flood`, which `read` does not count."""

    class Beside(Room):
        def fits(self, sender: str, size: int) -> bool:
            return room.fits(sender, size)

    return Beside(room.most)
