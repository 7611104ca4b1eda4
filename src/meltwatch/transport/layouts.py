"""Lists of points that a gateway announces once, so that its frames name them by an id.

The id is made from the list, so that it never means another one. A server that has forgotten a
list refuses the frame (`frame.layout_unknown`), is told again, and takes the same bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated

import msgspec

from meltwatch.model.ids import PointCode, SourceId
from meltwatch.transport.errors import Malformed, Unreadable, problem, shown
from meltwatch.transport.signature import digest

VERSION = 1
KEPT_OF_EACH = 32
"""How many lists of one gateway are remembered: it sends by one or two of them."""
_ID_BYTES = 20
_LONGEST_CODE = 256
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"


class Announcement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a gateway sends once: a list of points, each told once."""

    v: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)] = VERSION
    gateway: Annotated[SourceId, msgspec.Meta(pattern=_NAME)]
    points: list[Annotated[PointCode, msgspec.Meta(min_length=1, max_length=_LONGEST_CODE)]]


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """The list is kept: status 200. `layout`: its id. `server_time`: ms UTC."""

    layout: str
    server_time: int


def layout_of(points: Sequence[str]) -> str:
    """Return the id of a list: SM3 of its JSON without white space, the first 20 bytes."""
    return f"sm3-{digest(msgspec.json.encode(list(points)))[:_ID_BYTES].hex()}"


def announcement(gateway: SourceId, points: Sequence[str]) -> bytes:
    """Return the body that announces a list."""
    return msgspec.json.encode(
        Announcement(gateway=gateway, points=[PointCode(code) for code in points])
    )


def read_announcement(body: bytes) -> Announcement:
    """Return what a body announces. Raises Unreadable, Malformed."""
    try:
        told = msgspec.json.decode(body, type=Announcement)
    except msgspec.ValidationError as error:
        raise Malformed(problem("", "layout.malformed", {"why": shown(str(error))})) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(problem("", "frame.json_broken", {"position": 0})) from error
    if len(set(told.points)) != len(told.points):
        raise Malformed(problem("points", "layout.point_twice"))
    return told


class Layouts:
    """The lists that gateways have announced, the least used of a gateway forgotten first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of: dict[SourceId, OrderedDict[str, tuple[PointCode, ...]]] = {}

    def get(self, gateway: SourceId, layout: str) -> tuple[PointCode, ...] | None:
        """Return a list; None for one that is not known, or no more."""
        known = self._of.get(gateway)
        if known is None or layout not in known:
            return None
        known.move_to_end(layout)
        return known[layout]

    def keep(self, gateway: SourceId, points: tuple[PointCode, ...]) -> str:
        """Remember a list; return its id."""
        known = self._of.setdefault(gateway, OrderedDict())
        layout = layout_of(points)
        known[layout] = points
        known.move_to_end(layout)
        if len(known) > KEPT_OF_EACH:
            known.popitem(last=False)
        return layout
