"""What transport says no with, the HTTP status to say it with, and what the source does about it.

    MeltwatchError
    ├── Refused
    │   └── FrameRefused            nothing is logged and the number is not used
    │       ├── Unreadable     400  no JSON object: mend the sender
    │       ├── Unproven       401  wrong key or signature: mend the key, send the same again
    │       ├── Forbidden      403  not this key's gateway: mend the register, send the same again
    │       ├── TooLarge       413  send smaller frames
    │       ├── UnknownEncoding 415 send it otherwise compressed, or not at all
    │       ├── Malformed      422  a field is missing or wrong: mend the sender
    │       ├── LayoutUnknown  422  announce the list of points, send the same again
    │       ├── Ahead          422  the frame lies in the future: set the clock, send again later
    │       │   └── FarAhead   422  far in the future: its instants are wrong, never send it again
    │       ├── EpochAhead     422  the epoch starts in the future: set the clock, open another one
    │       ├── SequenceGap    409  resume at `expected`
    │       ├── DigestConflict 409  the number is taken by another frame: stop the epoch, tell
    │       ├── Slow           408  the body took too long: send the same again
    │       └── Busy           429  send the same again in `after_ms`
    └── Bug
        ├── Unencodable             a frame of ours that has no canonical form
        └── OutOfTurn               an event that a state does not have; nothing has changed

Keys of `Problem`s. Params in brackets; a param named `told` is a clipped text of what came.

    frame.body_too_large        [bytes, limit]     frame.json_broken           [position]
    frame.too_many_rows         [rows, limit]      frame.json_too_deep         [limit]
    frame.key_missing                              frame.not_an_object         [told]
    frame.key_unknown           [key]              frame.field_missing
    frame.signature_missing                        frame.field_unknown
    frame.signature_malformed   [expected]         frame.field_type            [expected, told]
    frame.signature_wrong       [key]              frame.version_unknown       [version, known]
    frame.gateway_unknown       [gateway]          frame.seq_below_one         [seq]
    frame.key_of_another        [key, gateway]     frame.interval_reversed     [from, to]
    frame.gap                   [expected]         frame.complete_to_ahead     [ahead_ms, limit_ms]
    frame.conflict              [seq]              frame.lost_ahead            [ahead_ms, limit_ms]
    frame.busy                  [after_ms]         frame.unavailable           (503)
    frame.epoch_ahead           [ahead_ms, limit_ms]
    frame.inflated_too_large    [limit]            frame.encoding_broken       [encoding]
    frame.body_slow             [seconds, bytes]
    frame.encoding_unknown      [told, known]      frame.layout_unknown        [layout]
    frame.columns_uneven        [told, rows]       frame.points_and_layout
    frame.arrow_broken          [why]              frame.arrow_columns         [told]
    layout.malformed            [why]              layout.point_twice

`expected` of frame.field_type is one of: version, name, epoch, count, mark, instant, layout,
intervals, rows, points, columns. `expected` of frame.signature_malformed is the number of
hexadecimal digits.

Keys of rows in quarantine, in the order in which they are judged: the first that applies counts.

    row.shape                   [told]             row.value_not_a_number      [told]
    row.unknown_point           [told]             row.value_nan
    row.foreign_point           [point, source]    row.value_infinite
    row.at_not_an_instant       [told]             row.quality_unknown         [told]
    row.at_ahead                [ahead_ms, limit_ms]  row.test_in_real_frame
    row.unit_mismatch           [told, expected]   row.source_at_not_an_instant [told]

Keys of a source's reports (`lane.py`).

    session.unavailable     [reason]               session.server_ahead    [told, first, through]
    session.refused         [reason]               session.server_behind   [told, first, through]
    session.answer_stalls   [told, sent]           session.conflict        [seq]
    session.recovered

Keys of the outbox (`outbox.py`, `link.py`) and of a gateway (`apps/gateway.py`).

    outbox.unavailable      [reason]               outbox.recovered
    outbox.dropped          [frames, epoch]        gateway.clock_stepped   [ms]
    gateway.rows_lost       [rows]                 gateway.frames_moved    [frames, ms]
    gateway.frames_unproven [frames]               gateway.frames_aside    [frames]
    gateway.epoch_renamed   [former]
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import ClassVar

from meltwatch.errors import Bug, Problem, Refused
from meltwatch.model.reason import Params

SHOWN = 64
"""How many characters of what came are shown."""
_brief = reprlib.Repr()  # bounded in time and depth, however large or deep what came is
_brief.maxlevel = 2


class FrameRefused(Refused):
    """The frame is not logged and its number not used.

    `status`: the HTTP status to answer with. `retry`: the same bytes may pass later, when a person
    or time has mended what `problems` tell; otherwise they never will.
    """

    status: ClassVar[int] = 400
    retry: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """Return the key of the first problem."""
        return self.problems[0].key


class Unreadable(FrameRefused):
    """The body is no JSON object in UTF-8."""


class Unproven(FrameRefused):
    """The key or the signature is missing, unknown or wrong."""

    status = 401
    retry = True


class Forbidden(FrameRefused):
    """The key is sound but does not speak for this gateway, or nobody knows the gateway."""

    status = 403
    retry = True


class TooLarge(FrameRefused):
    """The body has too many bytes or rows."""

    status = 413


class UnknownEncoding(FrameRefused):
    """The body is compressed in a way that nobody here undoes."""

    status = 415


class Malformed(FrameRefused):
    """Fields are missing, unknown, ill-typed or contradict each other; `problems` has them all."""

    status = 422


class LayoutUnknown(FrameRefused):
    """The list of points was not announced or is forgotten: announce it, send the same again."""

    status = 422
    retry = True


class Ahead(FrameRefused):
    """The frame completes what has not come yet by the server's clock: the gateway's is wrong."""

    status = 422
    retry = True


class FarAhead(Ahead):
    """It is so far ahead that no waiting makes its instants true: never send these bytes again."""

    retry = False


class EpochAhead(FrameRefused):
    """The epoch starts in the future, and all later ones would be back-fill: open another one."""

    status = 422

    def __init__(self, ahead_ms: int, limit_ms: int, newest: str | None) -> None:
        """Keep how far ahead it starts, ms, and the gateway's newest epoch at the server."""
        self.newest = newest
        told: Params = {"ahead_ms": ahead_ms, "limit_ms": limit_ms}
        super().__init__([Problem("epoch", "frame.epoch_ahead", told)])


class SequenceGap(FrameRefused):
    """The source has left numbers out: it resumes at `expected`."""

    status = 409
    retry = True

    def __init__(self, expected: int) -> None:
        """Keep the number that comes next."""
        self.expected = expected
        super().__init__([Problem("seq", "frame.gap", {"expected": expected})])


class DigestConflict(FrameRefused):
    """The number is taken by a frame with another digest; the newcomer is kept for a person."""

    status = 409

    def __init__(self, seq: int) -> None:
        """Keep the number."""
        self.seq = seq
        super().__init__([Problem("seq", "frame.conflict", {"seq": seq})])


class Slow(FrameRefused):
    """The body was not whole in time: send it again, on a line that carries it."""

    status = 408
    retry = True

    def __init__(self, seconds: float, size: int) -> None:
        """Keep how long was waited, and how many bytes had come."""
        told: Params = {"seconds": seconds, "bytes": size}
        super().__init__([Problem("", "frame.body_slow", told)])


class Busy(FrameRefused):
    """The server takes no more for now: the same bytes again in `after_ms`."""

    status = 429
    retry = True

    def __init__(self, after_ms: int) -> None:
        """Keep how long to wait, ms."""
        self.after_ms = after_ms
        super().__init__([Problem("", "frame.busy", {"after_ms": after_ms})])


class Unencodable(Bug):
    """A frame of ours holds what JSON cannot say (NaN, an infinity, half a character)."""


class OutOfTurn(Bug):
    """An event came in a state that does not have it; nothing has changed."""

    def __init__(self, epoch: str, state: str, event: str) -> None:
        """Keep the epoch, the name of its state and the name of the event."""
        self.epoch = epoch
        self.state = state
        self.event = event
        super().__init__(f"{epoch}: {event} while {state}")


def problem(place: str, key: str, params: Params | None = None) -> Sequence[Problem]:
    """Return the one problem of a refusal."""
    return (Problem(place, key, params or {}),)


def shown(told: object) -> str:
    """Return what came as a clipped text that can be encoded, whatever came."""
    text = told if isinstance(told, str) else _brief.repr(told)
    return text[:SHOWN].encode("utf-8", "replace").decode()
