"""The sending of a played file: frames over HTTP in one epoch, each when its time has come.

One frame is in flight; the same bytes go again until the server has them. What comes next is
`transport.session`'s to say; here its actions are done. The outbox is the file itself: a frame
that the server wants again is made again. Nothing here prints.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import httpx
import msgspec

from meltwatch.clock import Clock
from meltwatch.collect.play import LeftOut, Part, Tally
from meltwatch.collect.recording import PlayRefused
from meltwatch.errors import MeltwatchError, Problem
from meltwatch.model.ids import EpochId
from meltwatch.transport.answer import (
    Answer,
    Refusal,
    Standing,
    event_of_frame,
    event_of_standing,
)
from meltwatch.transport.epoch import RANDOM_BYTES, new_epoch
from meltwatch.transport.frame import Frame, encode
from meltwatch.transport.intake import KEY_HEADER, SENT_AT_HEADER, SIGNATURE_HEADER
from meltwatch.transport.lane import (
    Accepted,
    Ask,
    Busy,
    Event,
    LastSeq,
    Pace,
    Rejected,
    Report,
    Send,
    Sleep,
    State,
    Stored,
    Unavailable,
    Woken,
)
from meltwatch.transport.session import Action, Session, handle, open_epoch
from meltwatch.transport.signature import SharedSecret, sign

GIVE_UP_S = 60.0
"""How long the server may not bring the play on before it ends."""
PACE = Pace(first_ms=200, most_ms=5_000)
LONGEST_SLEEP_MS = 1_000


class PlayStopped(MeltwatchError):
    """The server does not bring the play on; what it has acknowledged stays there.

    `problem` says why; the person mends that and plays anew.
    """

    def __init__(self, problem: Problem) -> None:
        """Keep what was wrong."""
        self.problem = problem
        super().__init__(str(problem))


class Counts(msgspec.Struct):
    """What the server has said.

    `frames` and `samples` that it took, frames that were `sent_again`, rows in `quarantine` by
    (point, reason), and the instant up to which it has the file.
    """

    frames: int = 0
    samples: int = 0
    sent_again: int = 0
    quarantine: dict[tuple[str, str], LeftOut] = {}
    complete_to: int | None = None


class Signing(msgspec.Struct, frozen=True):
    """Who speaks: the key's id and the key."""

    key_id: str
    key: SharedSecret


def _nothing(_: object) -> None: ...


class Hear(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears of troubles and of progress, and how to sleep (seconds)."""

    report: Callable[[Problem], None] = _nothing
    progress: Callable[[Counts], None] = _nothing
    sleep: Callable[[float], None] = time.sleep


class Tape:
    """The frames of a file by their numbers; one that was made before is made again if wanted."""

    def __init__(self, make: Callable[[Tally], Iterator[Part]]) -> None:
        """Keep how to read the file from its beginning."""
        self.tally = Tally()
        self.made = 0
        self._make = make
        self._parts = make(self.tally)
        self._last: Part | None = None
        self._again: Iterator[Part] = iter(())
        self._again_at = 0
        self._again_last: Part | None = None

    def more(self) -> bool:
        """Make the next frame's part; False at the end of the file."""
        part = next(self._parts, None)
        if part is None:
            return False
        self.made, self._last = self.made + 1, part
        return True

    def part(self, seq: int) -> Part:
        """Return the part of a frame that was made; 1 is the first."""
        if seq == self.made and self._last is not None:
            return self._last
        if seq < self._again_at or self._again_last is None:
            self._again, self._again_at = self._make(Tally()), 0
        while self._again_at < seq:
            self._again_last = next(self._again, None)
            self._again_at += 1
        if self._again_last is None:
            raise PlayStopped(Problem("", "play.file_changed"))
        return self._again_last


class Player:
    """Sends a tape's frames in one epoch, each when its time has come."""

    def __init__(
        self,
        tape: Tape,
        client: httpx.Client,
        signing: Signing,
        clock: Clock,
        *,
        speed: float | None = None,
        hear: Hear,
    ) -> None:
        """Prepare to send; `client` has the server's address, `speed` is the file's, None: max."""
        self.gateway = signing.key.gateway
        self.signing = signing
        self.speed = speed
        self.tape = tape
        self.client = client
        self.clock = clock
        self.hear = hear
        self.counts = Counts()
        self.is_whole = False
        self.epoch = new_epoch(clock.wall_ms(), None, secrets.token_bytes(RANDOM_BYTES))
        self._newest: EpochId | None = None
        self._tried = 0
        self._well_at = clock.monotonic_ms()
        self._trouble = Problem("", "session.answer_stalls", {"told": 0, "sent": 1})

    def run(self) -> None:
        """Send all of the tape; raises PlayRefused and PlayStopped."""
        if not self.tape.more():
            return
        session = self._opened()
        first = self.tape.part(1).complete_to
        begun = self.clock.monotonic_ms()
        while True:
            self._wait_for(begun, self.tape.part(self.tape.made).complete_to - first)
            stored = Stored(1, self.tape.made)
            session = self._do(*handle(session, self.epoch, stored))
            self.hear.progress(self.counts)
            if not self.tape.more():
                break
        self.is_whole = True

    def problems(self) -> list[Problem]:
        """Return what of the file is not at the server: left out here, in quarantine there."""
        quarantined = [
            Problem(
                f"{one.lines()}, point {point}",
                "play.quarantined",
                {"count": one.count, "reason": reason},
            )
            for (point, reason), one in self.counts.quarantine.items()
        ]
        return [*self.tape.tally.problems(), *quarantined]

    def _opened(self) -> Session:
        """Open the epoch; another one if the server knows a greater: ours would be back-fill."""
        session = self._do(*open_epoch(Session(pace=PACE), self.epoch))
        if self._newest is not None and self._newest > self.epoch:
            chance = secrets.token_bytes(RANDOM_BYTES)
            self.epoch = new_epoch(self.clock.wall_ms(), self._newest, chance)
            session = self._do(*open_epoch(Session(pace=PACE), self.epoch))
        return session

    def _wait_for(self, begun: int, event_ms: int) -> None:
        """Wait until so much of the file's time has passed since it began."""
        if self.speed is not None:
            due = begun + event_ms / self.speed
            while (left_ms := due - self.clock.monotonic_ms()) > 0:
                self.hear.sleep(min(left_ms, LONGEST_SLEEP_MS) / 1000)
                self.hear.progress(self.counts)
        self._well_at = self.clock.monotonic_ms()

    def _do(self, session: Session, actions: Iterable[Action]) -> Session:
        """Do what the session asks for until it asks for nothing more."""
        waiting = deque(actions)
        while waiting:
            event = self._act(waiting.popleft())
            if isinstance(event, Busy):
                self._trouble = Problem("", "frame.busy", {"after_ms": event.after_ms})
            if event is not None:
                jitter = secrets.randbelow(1000) / 1000
                session, more = handle(session, self.epoch, event, jitter)
                waiting.extend(more)
        lane = session.lane(self.epoch)
        if lane is None or lane.state is State.STOPPED:
            raise PlayStopped(self._trouble)
        return session

    def _act(self, action: Action) -> Event | None:
        match action:
            case Ask():
                return self._ask()
            case Send(seq=seq):
                return self._send(seq)
            case Sleep(for_ms=for_ms):
                left_ms = self._well_at + GIVE_UP_S * 1000 - self.clock.monotonic_ms()
                if left_ms <= 0:
                    raise PlayStopped(self._trouble)
                self.hear.sleep(min(for_ms, left_ms) / 1000)
                return Woken()
            case Report(key=key, params=params):
                problem = Problem("", key, dict(params))
                if key != "session.recovered":
                    self._trouble = problem
                self.hear.report(problem)
        return None

    def _ask(self) -> Event:
        path = f"/v1/sources/{self.gateway}/{self.epoch}"
        told = self._request("GET", path, path.encode(), None)
        if isinstance(told, Unavailable):
            return told
        event = event_of_standing(told.status_code, told.content, self.gateway, self.epoch)
        if isinstance(event, LastSeq):
            self._newest = msgspec.json.decode(told.content, type=Standing).newest_epoch
        return _unless_refused(event, told.content)

    def _send(self, seq: int) -> Event:
        part = self.tape.part(seq)
        frame = Frame(
            gateway=self.gateway,
            epoch=self.epoch,
            seq=seq,
            mark="real",
            complete_from=part.complete_from,
            complete_to=part.complete_to,
            rows=part.rows,
        )
        body = encode(frame)
        self.counts.sent_again += seq <= self._tried
        self._tried = max(self._tried, seq)
        told = self._request("POST", "/v1/frames", body, body)
        if isinstance(told, Unavailable):
            return told
        event = event_of_frame(told.status_code, told.content)
        if isinstance(event, Accepted):
            self._well_at = self.clock.monotonic_ms()
            if seq == self.counts.frames + 1:
                self._count(part, msgspec.json.decode(told.content, type=Answer))
        return _unless_refused(event, told.content)

    def _request(
        self, method: str, path: str, signed: bytes, body: bytes | None
    ) -> httpx.Response | Unavailable:
        headers = {
            "Content-Type": "application/json",
            KEY_HEADER: self.signing.key_id,
            SIGNATURE_HEADER: sign(self.signing.key, signed),
            SENT_AT_HEADER: str(self.clock.wall_ms()),
        }
        try:
            return self.client.request(method, path, content=body, headers=headers)
        except httpx.HTTPError as error:
            return Unavailable(f"{self.client.base_url}: {str(error) or type(error).__name__}")

    def _count(self, part: Part, told: Answer) -> None:
        self.counts.frames += 1
        self.counts.samples += told.accepted
        self.counts.complete_to = part.complete_to
        for row, key in told.quarantined:
            point = str(part.rows[row][0])
            found = self.counts.quarantine.setdefault((point, key), LeftOut())
            found.note(part.lines[row])


def _unless_refused(event: Event, body: bytes) -> Event:
    """Let a refusal end the play at once: whoever started it is there to mend it."""
    if isinstance(event, Rejected):
        raise PlayRefused(msgspec.json.decode(body, type=Refusal).problems)
    return event
