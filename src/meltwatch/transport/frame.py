"""The frame as the wire and the outbox have it: a JSON body, fixed when the outbox stores it.

Everything that `docs/formats/frame.md` says of the body stands here, and nothing about who sent it
or whether its rows can be used. The body is read as anybody may write it (any order of keys, white
space, NaN and infinities in rows) and written in one way only: keys in the order of `_Head`, no
white space, numbers in their shortest form. Digests are over the bytes as they came.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Annotated, Any, get_type_hints

import msgspec

from meltwatch.errors import Problem
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import Mark
from meltwatch.model.reason import Params
from meltwatch.transport import arrow
from meltwatch.transport.columns import (
    MAX_EXACT,
    Arrays,
    Columns,
    Instant,
    TypedColumns,
    moved_at,
    moved_columns,
)
from meltwatch.transport.epoch import PATTERN as EPOCH
from meltwatch.transport.errors import Malformed, Unencodable, Unreadable, problem, shown
from meltwatch.transport.rows import Row, moved_row

VERSION = 1
"""What is made by default; 2 is read too."""
DEPTH = 8
"""How deep a body may nest; a sound one nests 3 deep: object, rows, row."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
_LONGEST_INTEGER = 400
_LONGEST_CODE = 256


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every version has, in the order in which it is written."""

    v: int = VERSION
    gateway: Annotated[SourceId, msgspec.Meta(pattern=_NAME)]
    epoch: Annotated[EpochId, msgspec.Meta(pattern=EPOCH)]
    seq: Annotated[int, msgspec.Meta(le=MAX_EXACT)]
    mark: Mark
    complete_from: Instant
    complete_to: Instant
    layout: Annotated[str, msgspec.Meta(pattern=_NAME)] | None = None
    lost: tuple[tuple[Instant, Instant], ...] = ()


class Frame(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of samples and the interval of its source's time that they complete.

    `v`: the format's version: 1 has `rows`, 2 has `columns`. `epoch` sorts by its start. `seq`:
    dense within (gateway, epoch), from 1. `complete_from`, `complete_to`, `lost`: instants in ms
    UTC, intervals `(from, to]`. `layout`: the id of an announced list of points, or None; `points`:
    the list itself. `rows`: as the source told them, `[point, at, value, quality?, unit?]`,
    unjudged: `admit.py` says which can be used.
    """

    rows: list[Any] = []
    points: tuple[PointCode, ...] | None = None
    columns: Columns | Arrays | None = None

    @property
    def count(self) -> int:
        """Return the number of rows, however they are told."""
        return len(self.rows) if self.columns is None else len(self.columns)


class _Wire1(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Version 1 as it is written."""

    rows: list[Any]


class _Typed1(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Version 1 whose every cell has its type: nearly all that ever comes."""

    v: Annotated[int, msgspec.Meta(ge=1, le=1)]
    rows: list[Row]


class _Common1(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Version 1 whose every row is an array: the common case, told apart while decoding."""

    v: Annotated[int, msgspec.Meta(ge=1, le=1)]
    rows: list[list[Any]]


Points = list[Annotated[PointCode, msgspec.Meta(max_length=_LONGEST_CODE)]]


class _Head2(_Head, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Version 2 beside its columns."""

    points: Points | None = None


class _OnlyHead2(_Head2, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Version 2 without its columns, which stand elsewhere."""

    v: Annotated[int, msgspec.Meta(ge=2, le=2)]


class _Wire2(_Head2, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Version 2 as it is written."""

    columns: Columns


class _Typed2(_Head2, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Version 2 whose every cell has its type."""

    v: Annotated[int, msgspec.Meta(ge=2, le=2)]
    columns: TypedColumns


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
    "points": "points",
    "columns": "columns",
}
_OPTIONAL = {"layout", "lost", "points"}
_FIELDS: dict[int, type[_Head]] = {1: _Wire1, 2: _Wire2}
_TYPES = {version: get_type_hints(kind, include_extras=True) for version, kind in _FIELDS.items()}
_encoder = msgspec.json.Encoder()
_typed_1 = msgspec.json.Decoder(_Typed1)
_typed_2 = msgspec.json.Decoder(_Typed2)
_head_2 = msgspec.json.Decoder(_OnlyHead2)
_common = msgspec.json.Decoder(_Common1)
_CAUGHT = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def encode(frame: Frame) -> bytes:
    """Return the canonical body: equal frames give equal bytes, and decoding gives the frame back.

    Raises Unencodable for a NaN or an infinity (a gateway says null, see `rows_of`) and for half
    a surrogate pair: a frame of ours never holds them. Fields are not checked: `decode` does.
    """
    if isinstance(frame.columns, Arrays):
        head = _Head2(**{name: getattr(frame, name) for name in _Head2.__struct_fields__})
        return arrow.join(_encoder.encode(head), frame.columns)
    if not _is_finite(frame):
        raise Unencodable("rows: NaN or infinity")
    kind = _Wire1 if frame.columns is None else _Wire2
    told = {name: getattr(frame, name) for name in kind.__struct_fields__}
    try:
        return _encoder.encode(kind(**told))
    except (RecursionError, UnicodeEncodeError) as error:
        raise Unencodable(str(error)) from error


def decode(body: bytes) -> Frame:
    """Return the frame that the body tells, whoever wrote it; a repeated key's last value counts.

    Raises Unreadable, and Malformed with every field that is missing, unknown or ill-typed.
    """
    try:
        common = _common.decode(body)
    except _CAUGHT:
        return _read_columns(body)
    if _may_nest(body, common):
        _refuse_deep(common.rows)
    return _frame(common)


def read(body: bytes) -> Frame:
    """Return what `decode` returns, its rows as `Row`s if every cell has its type: much faster.

    Raises as `decode`.
    """
    try:
        return _frame(_typed_1.decode(body))
    except _CAUGHT:
        return decode(body)


def _read_columns(body: bytes) -> Frame:
    """Read columns; or rows that the quick decoders refuse: NaN, an odd row, what is refused."""
    if body[:4] == arrow.MAGIC:
        head, columns = arrow.split(body)
        frame = msgspec.structs.replace(_frame(_headed(head)), columns=columns)
    else:
        try:
            frame = _frame(_typed_2.decode(body))
        except _CAUGHT:
            frame = _decoded_by_hand(body)
    if frame.columns is not None:
        _refuse_uneven(frame, frame.columns)
    return frame


def _headed(head: bytes) -> _Head:
    """Return what stands beside columns of Arrow."""
    try:
        return _head_2.decode(head)
    except _CAUGHT:
        fields = _object(head)
    if "columns" in fields:
        raise Malformed(problem("columns", "frame.field_unknown"))
    fields["columns"] = Columns(point=[], at=[], value=[])
    _refuse_odd(fields, {2})
    return msgspec.convert(fields, _Wire2)


def _frame(told: _Head) -> Frame:
    fields = {name: getattr(told, name) for name in told.__struct_fields__}
    if fields.get("points") is not None:
        fields["points"] = tuple(fields["points"])
    return Frame(**fields)


def _refuse_uneven(frame: Frame, columns: Columns | Arrays) -> None:
    """Refuse columns of different lengths, and points that are not said in one way."""
    if isinstance(columns, Columns):
        told = {name: one for name in columns.__struct_fields__ if (one := getattr(columns, name))}
        problems = [
            Problem(
                f"columns/{name}", "frame.columns_uneven", {"told": len(one), "rows": len(columns)}
            )
            for name, one in told.items()
            if len(one) != len(columns)
        ]
        if problems:
            raise Malformed(problems)
        if not isinstance(columns, TypedColumns):
            for one in told.values():
                _refuse_deep(one)
    if frame.points is not None and frame.layout is not None:
        raise Malformed(problem("points", "frame.points_and_layout"))
    if frame.points is None and frame.layout is None and len(columns):
        raise Malformed(problem("points", "frame.field_missing"))
    if frame.points is not None and len(set(frame.points)) != len(frame.points):
        raise Malformed(problem("points", "layout.point_twice"))


def moved(frame: Frame, epoch: EpochId, by_ms: int, bits: int) -> Frame:
    """Return the frame under another epoch, its instants moved and quality bits added.

    For an outbox whose clock turned out wrong: `rows` are as `rows_of` makes them.
    """
    columns = frame.columns
    return msgspec.structs.replace(
        frame,
        epoch=epoch,
        complete_from=moved_at(frame.complete_from, by_ms),
        complete_to=moved_at(frame.complete_to, by_ms),
        lost=tuple((moved_at(start, by_ms), moved_at(end, by_ms)) for start, end in frame.lost),
        rows=[moved_row(row, by_ms, bits) for row in frame.rows],
        columns=moved_columns(columns, by_ms, bits) if isinstance(columns, Columns) else columns,
    )


def _is_finite(frame: Frame) -> bool:
    if isinstance(frame.columns, Columns):
        return all(math.isfinite(told) for told in frame.columns.value if told is not None)
    return all(
        math.isfinite(cell)
        for row in frame.rows
        if isinstance(row, list | tuple)
        for cell in row
        if isinstance(cell, float)
    )


def _decoded_by_hand(body: bytes) -> Frame:
    """Read what the quick decoders refuse: the standard library takes NaN, Infinity and 1e999."""
    fields = _object(body)
    version = _refuse_odd(fields, set(_FIELDS))
    if isinstance(fields.get("rows"), list):
        _refuse_deep(fields["rows"])
    return _frame(msgspec.convert(fields, _FIELDS[version]))


def _refuse_odd(fields: dict[str, Any], known: set[int]) -> int:
    """Raise Malformed with all that is wrong with a body's fields; return its version."""
    told = fields.get("v")
    if type(told) is int and told not in known:
        # Refused for that alone: the other fields of a newer format are not ours to judge.
        params: Params = {"version": shown(told), "known": max(known)}
        raise Malformed(problem("v", "frame.version_unknown", params))
    version = told if type(told) is int else min(known)
    if problems := [*_missing(fields, version), *_wrong(fields, version)]:
        raise Malformed(problems)
    return version


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


def _missing(fields: dict[str, Any], version: int) -> Iterable[Problem]:
    for name in _FIELDS[version].__struct_fields__:
        if name not in fields and name not in _OPTIONAL:
            yield Problem(name, "frame.field_missing")


def _wrong(fields: dict[str, Any], version: int) -> Iterable[Problem]:
    for name, told in fields.items():
        if name not in _FIELDS[version].__struct_fields__:
            yield Problem(shown(name), "frame.field_unknown")
        elif not _fits(told, _TYPES[version][name]):
            params: Params = {"expected": _EXPECTED[name], "told": shown(told)}
            yield Problem(name, "frame.field_type", params)


def _fits(told: object, kind: Any) -> bool:
    try:
        msgspec.convert(told, kind)
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _may_nest(body: bytes, common: _Common1) -> bool:
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
