"""The frame as the wire and the outbox have it: a JSON body, fixed when the outbox stores it.

Everything that `docs/formats/frame.md` says of the body stands here, and nothing about who sent it
or whether its rows can be used. The body is read as anybody may write it (any order of keys, white
space, NaN and infinities in rows) and written in one way only: keys in the order of `Frame`, no
white space, numbers in their shortest form. Digests are over the bytes as they came.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Annotated, Any, get_type_hints

import msgspec

from meltwatch.errors import Problem
from meltwatch.model.ids import EpochId, SourceId
from meltwatch.model.log import Mark
from meltwatch.model.quality import Quality
from meltwatch.model.reason import Params
from meltwatch.model.sample import SampleBatch
from meltwatch.transport.epoch import PATTERN as EPOCH
from meltwatch.transport.errors import Malformed, Unencodable, Unreadable, problem, shown

VERSION = 1
DEPTH = 8
"""How deep a body may nest; a sound one nests 3 deep: object, rows, row."""
MAX_EXACT = 2**53 - 1
"""The greatest integer that every reader of JSON keeps exactly: seq and instants end here."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
_LONGEST_INTEGER = 400
LEAST_CELLS = 3

Instant = Annotated[int, msgspec.Meta(ge=0, le=MAX_EXACT)]


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A row whose cells all have their types: what `read` makes of a row of `Frame`.

    `at`: ms UTC. `value`: None or finite. `quality`, `unit`: None where left out.
    """

    point: str
    at: Instant
    value: float | None
    quality: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)] | None = None
    unit: str | None = None


class Frame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of samples and the interval of its source's time that they complete.

    `v`: the format's version. `epoch` sorts by its start. `seq`: dense within (gateway, epoch),
    from 1. `complete_from`, `complete_to`, `lost`: instants in ms UTC, intervals `(from, to]`.
    `layout`: the id of a recorded list of points, or None. `rows`: as the source told them,
    `[point, at, value, quality?, unit?]`, unjudged: `admit.py` says which can be used.
    """

    v: int = VERSION
    gateway: Annotated[SourceId, msgspec.Meta(pattern=_NAME)]
    epoch: Annotated[EpochId, msgspec.Meta(pattern=EPOCH)]
    seq: Annotated[int, msgspec.Meta(le=MAX_EXACT)]
    mark: Mark
    complete_from: Instant
    complete_to: Instant
    layout: Annotated[str, msgspec.Meta(pattern=_NAME)] | None = None
    lost: tuple[tuple[Instant, Instant], ...] = ()
    rows: list[Any]


class _Typed(Frame, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frame whose every cell has its type: nearly all that ever comes."""

    v: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    rows: list[Row]


class _Common(Frame, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frame whose every row is an array: the common case, told apart while decoding."""

    v: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    rows: list[list[Any]]


# What the reader of a refusal is told that a field should have been (`errors.py`).
_EXPECTED = {
    "v": "version",
    "gateway": "name",
    "epoch": "epoch",
    "seq": "count",
    "mark": "mark",
    "complete_from": "instant",
    "complete_to": "instant",
    "layout": "layout",
    "lost": "intervals",
    "rows": "rows",
}
_OPTIONAL = {"layout", "lost"}
_TYPES = get_type_hints(Frame, include_extras=True)
_encoder = msgspec.json.Encoder()
_typed = msgspec.json.Decoder(_Typed)
_common = msgspec.json.Decoder(_Common)


def encode(frame: Frame) -> bytes:
    """Return the canonical body: equal frames give equal bytes, and decoding gives the frame back.

    Raises Unencodable for a NaN or an infinity (a gateway says null, see `rows_of`) and for half
    a surrogate pair: a frame of ours never holds them. Fields are not checked: `decode` does.
    """
    if not _is_finite(frame.rows):
        raise Unencodable("rows: NaN or infinity")
    try:
        return _encoder.encode(frame)
    except (RecursionError, UnicodeEncodeError) as error:
        raise Unencodable(str(error)) from error


def decode(body: bytes) -> Frame:
    """Return the frame that the body tells, whoever wrote it; a repeated key's last value counts.

    Raises Unreadable, and Malformed with every field that is missing, unknown or ill-typed.
    """
    try:
        common = _common.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decoded_by_hand(body)  # NaN, an odd row, or a body to be refused with reasons
    if _may_nest(body, common):
        _refuse_deep(common.rows)
    return Frame(**msgspec.structs.asdict(common))


def read(body: bytes) -> Frame:
    """Return what `decode` returns, its rows as `Row`s if every cell has its type: much faster.

    Raises as `decode`.
    """
    try:
        told = _typed.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return decode(body)
    return Frame(**{name: getattr(told, name) for name in Frame.__struct_fields__})


def cells_of(row: object) -> object:
    """Return a row as its source told it, cells left out at its end left out; anything else too."""
    if not isinstance(row, Row):
        return row
    cells = [row.point, row.at, row.value, row.quality, row.unit]
    while len(cells) > LEAST_CELLS and cells[-1] is None:
        cells.pop()
    return cells


def rows_of(samples: SampleBatch) -> list[list[Any]]:
    """Return the samples as rows of a frame, good quality left out; no value (NaN) becomes null.

    An infinity becomes null too: both are bad, which the row's quality then says.
    """
    return [
        _row(code, at, value, quality | (0 if math.isfinite(value) else Quality.BAD))
        for code, at, value, quality in samples.rows()
    ]


def moved(frame: Frame, epoch: EpochId, by_ms: int, bits: int) -> Frame:
    """Return the frame under another epoch, its instants moved and quality bits added.

    For an outbox whose clock turned out wrong: `rows` are as `rows_of` makes them.
    """
    return msgspec.structs.replace(
        frame,
        epoch=epoch,
        complete_from=_at(frame.complete_from, by_ms),
        complete_to=_at(frame.complete_to, by_ms),
        lost=tuple((_at(start, by_ms), _at(end, by_ms)) for start, end in frame.lost),
        rows=[_moved_row(row, by_ms, bits) for row in frame.rows],
    )


def _moved_row(row: list[Any], by_ms: int, bits: int) -> list[Any]:
    code, at, value, quality, *unit = [*row, 0][: max(len(row), 4)]
    return _trimmed([code, _at(at, by_ms), value, (quality or 0) | bits, *unit])


def _trimmed(row: list[Any]) -> list[Any]:
    return row[:3] if len(row) == 4 and not row[3] else row


def _at(at: int, by_ms: int) -> int:
    return min(max(at + by_ms, 0), MAX_EXACT)


def _row(code: str, at: int, value: float, quality: int) -> list[Any]:
    told = value if math.isfinite(value) else None
    return [code, at, told, int(quality)] if quality else [code, at, told]


def _is_finite(rows: Iterable[Any]) -> bool:
    return all(
        math.isfinite(cell)
        for row in rows
        if isinstance(row, list | tuple)
        for cell in row
        if isinstance(cell, float)
    )


def _decoded_by_hand(body: bytes) -> Frame:
    """Read what the quick decoder refuses: the standard library takes NaN, Infinity and 1e999."""
    fields = _object(body)
    _refuse_other_versions(fields.get("v"))
    if isinstance(fields.get("rows"), list):
        _refuse_deep(fields["rows"])
    if problems := [*_missing(fields), *_wrong(fields)]:
        raise Malformed(problems)
    return msgspec.convert(fields, Frame)


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body.decode("utf-8"), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise Unreadable(problem("", "frame.json_broken", {"position": error.start})) from error
    except json.JSONDecodeError as error:
        raise Unreadable(problem("", "frame.json_broken", {"position": error.pos})) from error
    except RecursionError as error:
        raise Unreadable(problem("", "frame.json_too_deep", {"limit": DEPTH})) from error
    if not isinstance(fields, dict):
        raise Unreadable(problem("", "frame.not_an_object", {"told": shown(fields)}))
    return fields


def _integer(digits: str) -> int | float:
    """Return an integer; one of absurd length costs quadratic time, so it is an infinity."""
    if len(digits) <= _LONGEST_INTEGER:
        return int(digits)
    return -math.inf if digits[0] == "-" else math.inf


def _refuse_other_versions(version: object) -> None:
    """Refuse a newer format for that alone: its other fields are not ours to judge."""
    if type(version) is int and version != VERSION:
        params: Params = {"version": shown(version), "known": VERSION}
        raise Malformed(problem("v", "frame.version_unknown", params))


def _missing(fields: dict[str, Any]) -> Iterable[Problem]:
    for name in _EXPECTED:
        if name not in fields and name not in _OPTIONAL:
            yield Problem(name, "frame.field_missing")


def _wrong(fields: dict[str, Any]) -> Iterable[Problem]:
    for name, told in fields.items():
        if name not in _EXPECTED:
            yield Problem(shown(name), "frame.field_unknown")
        elif not _fits(told, _TYPES[name]):
            params: Params = {"expected": _EXPECTED[name], "told": shown(told)}
            yield Problem(name, "frame.field_type", params)


def _fits(told: object, kind: Any) -> bool:
    try:
        msgspec.convert(told, kind)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _may_nest(body: bytes, common: _Common) -> bool:
    """Tell whether a cell may be an array or object: exact but for brackets inside texts."""
    known = 2 + len(common.rows) + len(common.lost)
    return body.count(b"[") > known or body.count(b"{") > 1


def _refuse_deep(rows: list[Any]) -> None:
    level: list[Any] = rows
    for _ in range(DEPTH - 2):
        level = [cell for one in level if isinstance(one, list | dict) for cell in _inside(one)]
        if not level:
            return
    if any(isinstance(one, list | dict) for one in level):
        raise Unreadable(problem("rows", "frame.json_too_deep", {"limit": DEPTH}))


def _inside(one: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return one.values() if isinstance(one, dict) else one
