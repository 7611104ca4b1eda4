"""One value of the protocol (`DataValue`) as a number, a quality and a source time.

Pure: no clock and no socket. What it is worth as a sample `run` decides.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from meltwatch.model.quality import Quality

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_UNCERTAIN, _BAD = 1, 2
_INFO_IS_DATA_VALUE, _OVERFLOW = 0x400, 0x80
_SUBSTITUTES = {
    StatusCodes.GoodLocalOverride >> 16,
    StatusCodes.UncertainSubstituteValue >> 16,
}


class Reading(NamedTuple):
    """A value as it was told; `stamp` is the source time, ms UTC; NaN: bad and without a value."""

    value: float
    quality: int
    stamp: int | None
    overflow: bool


class NoNumber(NamedTuple):
    """A value that cannot be a sample, with the name of its type."""

    type_name: str


def reading_of(told: ua.DataValue) -> Reading | NoNumber | None:
    """Return the value as a reading; None: the server has none yet."""
    status = 0 if told.StatusCode is None else int(told.StatusCode.value)
    if status == StatusCodes.BadWaitingForInitialData:
        return None
    quality = quality_of(status)
    number = _number(told.Value)
    if number is None:
        if not quality & Quality.BAD:
            return NoNumber(_type_name(told.Value))
        number = math.nan
    if not math.isfinite(number):
        number, quality = math.nan, quality & ~Quality.UNCERTAIN | Quality.BAD
    stamp = None if told.SourceTimestamp is None else ms_of(told.SourceTimestamp)
    overflow = status & (0xC00 | _OVERFLOW) == _INFO_IS_DATA_VALUE | _OVERFLOW
    return Reading(number, int(quality), stamp, overflow)


def quality_of(status: int) -> Quality:
    """Return the quality of a status code: its severity, and whether the value stands in."""
    severity = status >> 30
    quality = Quality.GOOD
    if severity >= _BAD:
        quality = Quality.BAD
    elif severity == _UNCERTAIN:
        quality = Quality.UNCERTAIN
    return quality | Quality.SUBSTITUTED if status >> 16 in _SUBSTITUTES else quality


def ms_of(told: datetime) -> int:
    """Return a time of the protocol as ms UTC, rounded down."""
    aware = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MS


def time_of(ms: int) -> ua.DateTime:
    """Return ms UTC as a time of the protocol."""
    return _EPOCH + ms * _MS  # type: ignore[return-value]  # asyncua's name for a datetime


def clock_of(told: ua.DataValue) -> int | None:
    """Return the instant that a clock node holds; None: it holds none."""
    value = None if told.Value is None else told.Value.Value
    return ms_of(value) if isinstance(value, datetime) else None


def _number(told: ua.Variant | None) -> float | None:
    value = None if told is None else told.Value
    return float(value) if isinstance(value, bool | int | float) else None


def _type_name(told: ua.Variant | None) -> str:
    if told is None or told.Value is None:
        return "Null"
    name = str(told.VariantType.name)
    return f"{name}[]" if isinstance(told.Value, list) else name
