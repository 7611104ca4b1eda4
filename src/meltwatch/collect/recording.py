"""How a recorded CSV file is read: its mapping file, its lines, cells, numbers and instants.

A mapping names the file's clock, its separator and which column is which point. Pure but for
reading the two files; nobody here reads a clock or knows what becomes of a row (`play.py`).
"""

from __future__ import annotations

import codecs
import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from meltwatch.errors import Problem, Refused
from meltwatch.model.ids import PointCode

LAST_MS = 2**53 - 1
SHOWN = 40
"""How many characters of what stands in the file are shown."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS_MS = {"unix_s": 1000, "unix_ms": 1, "seconds": 1000}
_SAMPLE_INSTANT = datetime(2001, 12, 31, 23, 59, 58)  # noqa: DTZ001  # tries a format out


class PlayRefused(Refused):
    """The file, its mapping or an argument cannot be used: nothing was sent, mend what is named."""


class TimeColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the instants stand and how they are written.

    `format`: `iso`; `unix_s`, `unix_ms`, numbers since 1970 UTC; `seconds`, numbers from the
    file's own beginning, played at a stated instant; or a pattern of `%Y %m %d %H %M %S %f %z`.
    `zone`: of what carries no offset of its own, a name (`Asia/Shanghai`) or an offset (`+08:00`).
    """

    column: str
    format: str = "iso"
    zone: str = "UTC"


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The column of a point, and the unit that it is in, for the server to check."""

    column: str
    unit: str | None = None


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping file as written; `separator` is one character or the word `tab`."""

    time: TimeColumn
    points: dict[PointCode, str | Column]
    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"


def mapping_of(path: Path) -> Mapping:
    """Read a mapping file; raises PlayRefused with all that is wrong in it."""
    try:
        told = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Mapping)
    except OSError as error:
        raise PlayRefused([Problem(str(path), "unreadable", {"why": str(error)})]) from error
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise PlayRefused([Problem(str(path), "malformed", {"why": str(error)})]) from error
    if told.separator == "tab":
        told = msgspec.structs.replace(told, separator="\t")
    if problems := list(_wrong_with(told, str(path))):
        raise PlayRefused(problems)
    return told


def instant_of(text: str, mapping: Mapping) -> int:
    """Return an ISO 8601 instant, ms UTC, by the file's zone if it has none; raises ValueError."""
    at = Calendar("iso", mapping.time.zone).instant(text, None)
    if not 0 < at <= LAST_MS:
        raise ValueError(text)
    return at


def lines_of(path: Path, mapping: Mapping) -> Iterator[str]:
    """Yield the file's lines; bytes that are none of its encoding never stop it.

    Raises PlayRefused when it cannot be opened or read.
    """
    encoding = "utf-8-sig" if codecs.lookup(mapping.encoding).name == "utf-8" else mapping.encoding
    try:
        with path.open(encoding=encoding, errors="replace") as file:
            yield from file
    except (OSError, UnicodeError) as error:
        raise PlayRefused([Problem(str(path), "unreadable", {"why": str(error)})]) from error


def cells_of(text: str, mapping: Mapping) -> list[str] | None:
    """Return a line's cells; None if it is none of a CSV file."""
    try:
        return next(csv.reader((text,), delimiter=mapping.separator), [])
    except csv.Error:
        return None


def number_of(told: str, decimal: str) -> float | None:
    """Return a cell's number; None if it is none, or not a finite one."""
    if decimal != ".":
        if "." in told:  # a separator of thousands, or another decimal mark: not ours to guess
            return None
        told = told.replace(decimal, ".")
    try:
        value = float(told)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in told else None


def column_of(told: str | Column) -> Column:
    """Return a point's column, however the mapping words it."""
    return Column(column=told) if isinstance(told, str) else told


class Calendar:
    """Reads instants as they are written in one format, by the clock of one zone."""

    def __init__(self, pattern: str, zone: str) -> None:
        """Read by a format and a zone of a sound mapping."""
        self._pattern = pattern
        self._zone = _zone(zone)

    def instant(self, told: str, last: int | None) -> int:
        """Return ms UTC; `last`: that of the row before; of two 02:30 of a night the nearer counts.

        Raises ValueError and OverflowError for what is no instant, and for one that the zone's
        clocks jump over.
        """
        if factor := _UNITS_MS.get(self._pattern):
            return _in_ms(told, factor)
        if self._pattern == "iso":
            local = datetime.fromisoformat(told)
        else:
            local = datetime.strptime(told, self._pattern)  # noqa: DTZ007  # its zone comes next
        if local.tzinfo is not None:
            return _ms(local)
        early, late = (_ms(local.replace(tzinfo=self._zone, fold=fold)) for fold in (0, 1))
        if early > late:
            raise ValueError(told)
        later = last is not None and abs(late - last) < abs(early - last)
        return late if later else early


def _ms(local: datetime) -> int:
    return round(((local - _EPOCH) // _MICROSECOND) / 1000)


def _in_ms(told: str, factor: int) -> int:
    try:
        ms = Decimal(told) * factor
    except InvalidOperation as error:
        raise ValueError(told) from error
    if not ms.is_finite() or abs(ms) > LAST_MS:
        raise ValueError(told)
    return int(ms.to_integral_value())


def _wrong_with(told: Mapping, path: str) -> Iterator[Problem]:
    if not told.points:
        yield Problem(f"{path}/points", "play.no_points")
    if len(told.separator) != 1 or told.separator in '"\r\n':
        yield Problem(f"{path}/separator", "play.separator", {"told": told.separator})
    if told.decimal not in {".", ","} or told.decimal == told.separator:
        yield Problem(f"{path}/decimal", "play.decimal", {"told": told.decimal})
    try:
        b" ".decode(told.encoding, "replace")
    except LookupError:
        yield Problem(f"{path}/encoding", "play.encoding", {"told": told.encoding})
    try:
        _zone(told.time.zone)
    except ValueError:
        yield Problem(f"{path}/time/zone", "play.zone", {"told": told.time.zone})
    if not _is_format(told.time.format):
        yield Problem(f"{path}/time/format", "play.format", {"told": told.time.format})


def _is_format(told: str) -> bool:
    if told == "iso" or told in _UNITS_MS:
        return True
    try:
        written = _SAMPLE_INSTANT.replace(tzinfo=UTC).strftime(told)
        datetime.strptime(written, told)  # noqa: DTZ007  # only tried out
    except ValueError:
        return False
    return "%" in told


def _zone(told: str) -> tzinfo:
    """Return the zone of a name or an offset; raises ValueError."""
    try:
        return timezone(datetime.strptime(told, "%z").utcoffset() or timedelta())
    except ValueError:
        pass
    try:
        return ZoneInfo(told)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(told) from error
