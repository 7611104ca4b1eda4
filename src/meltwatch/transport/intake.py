"""The check of a whole frame at intake: who sent it, and may its number be used?

The order is that of trust: size, key and signature, then the body, then what it says. A refusal
uses no number; whatever passes is logged and acknowledged, and `admit.py` judges its rows.
Nothing here waits, stores or reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from meltwatch.errors import Problem
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.plant import Source
from meltwatch.model.reason import Params
from meltwatch.transport.epoch import EPOCH_AHEAD_MS, is_ahead, started_ms
from meltwatch.transport.errors import (
    Ahead,
    EpochAhead,
    FarAhead,
    Forbidden,
    LayoutUnknown,
    Malformed,
    TooLarge,
    Unproven,
    problem,
    shown,
)
from meltwatch.transport.frame import Frame, read
from meltwatch.transport.layouts import Announcement, Layouts, read_announcement
from meltwatch.transport.signature import Key, digest, is_signature, verify

KEY_HEADER = "Meltwatch-Key"
SIGNATURE_HEADER = "Meltwatch-Signature"
SENT_AT_HEADER = "Meltwatch-Sent-At"

AHEAD_MS = 5_000
"""How far an instant may lie ahead of the server's clock, in clock domain `live`."""
FAR_AHEAD_MS = 60_000
"""Farther ahead than this it is a wrong clock and no uneven one: the bytes are refused for good."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one frame may be: bytes of its body, rows."""

    body_bytes: int = 8 * 1024 * 1024
    rows: int = 100_000


DEFAULT_LIMITS = Limits()


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What came beside the body: the three headers, None where absent."""

    key: str | None
    signature: str | None
    sent_at: str | None = None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A frame whose number may be used, and the proof that goes into the log with it.

    `digest`: SM3 of the body, 32 bytes. `sent_at`: ms UTC by the gateway's clock at this sending,
    unsigned, for figures only; None where absent or no number.
    """

    frame: Frame
    body: bytes
    digest: bytes
    key: str
    signature: str
    sent_at: int | None


def check_header(
    body: bytes,
    header: Header,
    *,
    keys: Mapping[str, Key],
    sources: Mapping[SourceId, Source],
    now: int,
    limits: Limits = DEFAULT_LIMITS,
    layouts: Layouts | None = None,
) -> Checked:
    """Return the frame if its number may be used.

    `keys` by their id, `sources` by gateway, `now` the server's clock in ms UTC; `layouts`: what
    gateways have announced. Raises one of `FrameRefused`: TooLarge, Unproven, Unreadable,
    Malformed, Forbidden, LayoutUnknown, Ahead.
    """
    _refuse_large(body, limits)
    key_id, key, signature = _proven(body, header, keys)
    frame = read(body)
    _refuse_foreign(frame.gateway, key_id, key, sources)
    _refuse_contradictions(frame)
    if frame.count > limits.rows:
        params: Params = {"rows": frame.count, "limit": limits.rows}
        raise TooLarge(problem("rows", "frame.too_many_rows", params))
    if frame.layout is not None and frame.columns is not None:
        frame = msgspec.structs.replace(frame, points=_points(frame.gateway, frame.layout, layouts))
    if sources[frame.gateway].clock == "live":
        _refuse_ahead(frame, now)
    return Checked(
        frame=frame,
        body=body,
        digest=digest(body),
        key=key_id,
        signature=signature,
        sent_at=sent_at_of(header),
    )


def check_announcement(
    body: bytes,
    header: Header,
    *,
    keys: Mapping[str, Key],
    sources: Mapping[SourceId, Source],
    limits: Limits = DEFAULT_LIMITS,
) -> Announcement:
    """Return the list of points that a gateway announces; raises as `check_header`."""
    _refuse_large(body, limits)
    key_id, key, _ = _proven(body, header, keys)
    told = read_announcement(body)
    _refuse_foreign(told.gateway, key_id, key, sources)
    return told


def check_asking(
    path: str,
    gateway: SourceId,
    header: Header,
    *,
    keys: Mapping[str, Key],
    sources: Mapping[SourceId, Source],
) -> None:
    """Check a request without a body: its signature is over the path, as the request line has it.

    `gateway`: whom the path names. Raises Unproven, Forbidden.
    """
    key_id, key, _ = _proven(path.encode("utf-8", "surrogateescape"), header, keys)
    _refuse_foreign(gateway, key_id, key, sources)


def _points(gateway: SourceId, layout: str, layouts: Layouts | None) -> tuple[PointCode, ...]:
    points = None if layouts is None else layouts.get(gateway, layout)
    if points is None:
        raise LayoutUnknown(problem("layout", "frame.layout_unknown", {"layout": layout}))
    return points


def refuse_epoch_ahead(epoch: EpochId, newest: EpochId | None, now: int) -> None:
    """Raise EpochAhead for an epoch that starts too far ahead of the server's clock.

    `newest`: the gateway's newest at the server: one just behind it is taken, wherever that lies.
    """
    if is_ahead(epoch, newest, now):
        raise EpochAhead(started_ms(epoch) - now, EPOCH_AHEAD_MS, newest)


def _refuse_large(body: bytes, limits: Limits) -> None:
    if len(body) > limits.body_bytes:
        params: Params = {"bytes": len(body), "limit": limits.body_bytes}
        raise TooLarge(problem("", "frame.body_too_large", params))


def _proven(message: bytes, header: Header, keys: Mapping[str, Key]) -> tuple[str, Key, str]:
    if not header.key:
        raise Unproven(problem(KEY_HEADER, "frame.key_missing"))
    named: Params = {"key": shown(header.key)}
    key = keys.get(header.key)
    if key is None:
        raise Unproven(problem(KEY_HEADER, "frame.key_unknown", named))
    if not header.signature:
        raise Unproven(problem(SIGNATURE_HEADER, "frame.signature_missing"))
    signature = header.signature.strip().lower()
    if not is_signature(key, signature):
        wanted: Params = {"expected": key.signature_digits}
        raise Unproven(problem(SIGNATURE_HEADER, "frame.signature_malformed", wanted))
    if not verify(key, message, signature):
        raise Unproven(problem(SIGNATURE_HEADER, "frame.signature_wrong", named))
    return header.key, key, signature


def _refuse_foreign(
    gateway: SourceId, key_id: str, key: Key, sources: Mapping[SourceId, Source]
) -> None:
    """Refuse a key that speaks for another gateway first: it learns nothing of who is known."""
    if key.gateway != gateway:
        params: Params = {"key": shown(key_id), "gateway": shown(gateway)}
        raise Forbidden(problem("gateway", "frame.key_of_another", params))
    if gateway not in sources:
        raise Forbidden(problem("gateway", "frame.gateway_unknown", {"gateway": shown(gateway)}))


def _refuse_contradictions(frame: Frame) -> None:
    if problems := list(_contradictions(frame)):
        raise Malformed(problems)


def _contradictions(frame: Frame) -> Iterator[Problem]:
    if frame.seq < 1:
        yield Problem("seq", "frame.seq_below_one", {"seq": shown(frame.seq)})
    if frame.complete_to < frame.complete_from:
        yield _reversed("complete_to", frame.complete_from, frame.complete_to)
    for place, (start, end) in enumerate(frame.lost):
        if end <= start:
            yield _reversed(f"lost/{place}", start, end)


def _reversed(place: str, start: int, end: int) -> Problem:
    return Problem(place, "frame.interval_reversed", {"from": start, "to": end})


def _refuse_ahead(frame: Frame, now: int) -> None:
    """Refuse what completes the future: nothing could come in there any more."""
    last_lost = max((end for _, end in frame.lost), default=0)
    told = (
        ("complete_to", "frame.complete_to_ahead", frame.complete_to - now),
        ("lost", "frame.lost_ahead", last_lost - now),
    )
    if problems := [
        Problem(place, key, {"ahead_ms": ahead_ms, "limit_ms": AHEAD_MS})
        for place, key, ahead_ms in told
        if ahead_ms > AHEAD_MS
    ]:
        far = any(ahead_ms > FAR_AHEAD_MS for _, _, ahead_ms in told)
        raise FarAhead(problems) if far else Ahead(problems)


def sent_at_of(header: Header) -> int | None:
    """Return when it was sent by the gateway's own clock; a wrong one refuses nothing."""
    told = header.sent_at
    if told is None or not (told.isascii() and told.isdigit() and len(told) <= 16):
        return None
    return int(told)
