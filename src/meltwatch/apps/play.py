"""`meltwatch play`: a recorded file sent to a server as a gateway of clock domain `recorded`.

`collect.play` makes what frames hold, `player.py` sends them. Here stands what a person meets: what
is asked for and checked, the progress and the closing line.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec

from meltwatch.apps.player import Counts, Hear, Player, PlayStopped, Signing, Tape
from meltwatch.clock import Clock, SystemClock
from meltwatch.collect.play import cut_of, parts_of
from meltwatch.collect.recording import PlayRefused, instant_of, lines_of, mapping_of
from meltwatch.errors import Problem
from meltwatch.model.ids import SourceId
from meltwatch.present.words import words_of
from meltwatch.transport.signature import SharedSecret

ANSWER_WITHIN_S = 10.0
PROGRESS_EVERY_MS = 200
CLEAR = "\r\x1b[K"
OK, STOPPED, REFUSED, INTERRUPTED = 0, 1, 2, 130

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER = re.compile(r"[!-~]+")


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `speed`: seconds of the file in a real one; None: as fast as it goes."""

    csv: Path
    map: Path
    to: str
    gateway: str
    key_id: str
    secret: str
    speed: float | None = 1.0
    at: str | None = None


def speed_of(told: str) -> float | None:
    """Return the speed that `60` or `max` words; raises ArgumentTypeError."""
    try:
        speed = None if told == "max" else float(told)
    except ValueError:
        speed = 0.0
    if speed is not None and not 0 < speed < math.inf:
        raise argparse.ArgumentTypeError(f"{told!r} is no speed: a number above 0, or max")
    return speed


def play(asked: Play, clock: Clock | None = None) -> int:
    """Play a file, say how it went, return the exit code."""
    clock = clock or SystemClock()
    player: Player | None = None
    code = OK
    try:
        tape = tape_of(asked)
        key = SharedSecret(gateway=SourceId(asked.gateway), secret=asked.secret.encode())
        signing = Signing(asked.key_id, key)
        hear = Hear(report=lambda one: _tell([one]), progress=_Progress(clock).show)
        with httpx.Client(base_url=asked.to, trust_env=False, timeout=ANSWER_WITHIN_S) as client:
            player = Player(tape, client, signing, clock, speed=asked.speed, hear=hear)
            player.run()
    except PlayRefused as refused:
        _tell(refused.problems)
        code = REFUSED
    except PlayStopped as stopped:
        _tell([stopped.problem])
        code = STOPPED
    except KeyboardInterrupt:
        code = INTERRUPTED
    if player is not None and player.counts.frames:
        print(CLEAR if sys.stderr.isatty() else "", end="", file=sys.stderr, flush=True)
        _tell(player.problems())
        print(f"meltwatch: {closing(asked, player)}", flush=True)
        code = code or (STOPPED if player.counts.quarantine else OK)
    return code


def tape_of(asked: Play) -> Tape:
    """Check all that can be checked without the server; raises PlayRefused."""
    mapping = mapping_of(asked.map)
    problems = list(_wrong_with(asked))
    at: int | None = None
    if asked.at is not None:
        try:
            at = instant_of(asked.at, mapping)
        except (ValueError, OverflowError):
            problems.append(Problem("--at", "play.at", {"told": asked.at}))
    if problems:
        raise PlayRefused(problems)
    cut = cut_of(asked.speed)
    return Tape(lambda tally: parts_of(lines_of(asked.csv, mapping), mapping, cut, tally, at))


def closing(asked: Play, player: Player) -> str:
    """Return the one line that says what came of it."""
    tally, counts = player.tape.tally, player.counts
    whole = "all acknowledged" if player.is_whole else "NOT the whole file"
    span = f"{_iso(tally.first)} to {_iso(counts.complete_to)}"
    told = f"{tally.rows} rows of {asked.csv.name} as {asked.gateway}, {span}: "
    told += f"{counts.samples} samples in {counts.frames} frames, {whole}"
    also = (
        (sum(one.count for one in tally.left_out.values()), "left out"),
        (sum(one.count for one in counts.quarantine.values()), "in quarantine"),
        (tally.corrections, "rows sent as corrections"),
        (tally.repeated, "rows of the same instant as the row before"),
        (counts.sent_again, "frames sent again"),
    )
    return "; ".join([told, *(f"{count} {what}" for count, what in also if count)])


class _Progress:
    """Shows on a terminal how far it is, not too often."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shown_at = clock.monotonic_ms()

    def show(self, counts: Counts) -> None:
        now = self._clock.monotonic_ms()
        if sys.stderr.isatty() and now - self._shown_at >= PROGRESS_EVERY_MS:
            self._shown_at = now
            line = f"{_iso(counts.complete_to)}  {counts.samples} samples, {counts.frames} frames"
            print(f"{CLEAR}{line}", end="", file=sys.stderr, flush=True)


def _wrong_with(asked: Play) -> Iterator[Problem]:
    try:
        url = httpx.URL(asked.to)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        yield Problem("--to", "play.to", {"told": asked.to})
    if not _NAME.fullmatch(asked.gateway):
        yield Problem("--gateway", "play.gateway", {"told": asked.gateway})
    if not _HEADER.fullmatch(asked.key_id):
        yield Problem("--key-id", "play.key_id", {"told": asked.key_id})
    if not asked.secret:
        yield Problem("--secret", "play.secret")
    if not asked.csv.is_file():
        yield Problem(str(asked.csv), "play.no_such_file")


def _tell(problems: Iterable[Problem]) -> None:
    for one in problems:
        told = " / ".join(words_of(one))
        _say(f"{one.place}: {told}" if one.place else told)


def _say(text: str) -> None:
    print(f"{CLEAR if sys.stderr.isatty() else ''}meltwatch: {text}", file=sys.stderr)


def _iso(at: int | None) -> str:
    if at is None:
        return "-"
    told = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z").replace(".000Z", "Z")
