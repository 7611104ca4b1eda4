"""A core in a process of its own, and gateways that send it signed frames over real HTTP.

A gateway has one frame in flight. After a lost connection it asks for the last number and sends
the same bytes again, as the protocol wants it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from meltwatch.clock import SystemClock
from meltwatch.model.ids import SourceId
from meltwatch.transport.intake import KEY_HEADER, SIGNATURE_HEADER
from meltwatch.transport.signature import sign
from tests.durability.plant import EPOCH, KEYS, body_of, key_id

HOST = "127.0.0.1"
UP_WITHIN_MS = 30_000
POLL_S = 0.02
ANSWER_WITHIN_S = 20.0
BUSY = frozenset({429, 503})
"""The statuses after which the same bytes are sent again at once."""


class CoreProcess:
    """`meltwatch core` as a child; started again on the same port and the same data."""

    def __init__(
        self, node: Path, data: Path, *, sync: str = "full", tracer: Sequence[str] = ()
    ) -> None:
        """Prepare a core; `tracer` is a command that runs it."""
        self.port = free_port()
        self._log = data.with_name(f"{data.name}.log")
        self._command = [
            *tracer,
            sys.executable,
            *("-m", "meltwatch.apps.cli", "core"),
            *("--node", str(node), "--data", str(data)),
            *("--port", str(self.port), "--sync", sync),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The child, or the tracer that runs it."""
        assert self._process is not None, "not started"
        return self._process

    def start(self) -> None:
        """Start the process; it is not up yet when this returns."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True
            )

    def start_and_wait(self) -> None:
        """Start the process and return once it answers."""
        self.start()
        clock = SystemClock()
        deadline = clock.monotonic_ms() + UP_WITHIN_MS
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            while not self._answers(client):
                if self.ended_within(POLL_S):
                    raise AssertionError(f"the core ended while starting:\n{self.said()}")
                assert clock.monotonic_ms() < deadline, f"the core is not up:\n{self.said()}"

    def ended_within(self, seconds: float) -> bool:
        """Tell whether the process ends within so many seconds."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it by SIGKILL, wherever it is, and with it whatever runs it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end (SIGTERM); return its exit code."""
        self.process.terminate()
        return self.process.wait(ANSWER_WITHIN_S)

    def said(self) -> str:
        """Return what it printed, over all its lives."""
        return self._log.read_text("utf-8", errors="replace")

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        self.start_and_wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _answers(self, client: httpx.Client) -> bool:
        try:
            return client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False


class Gateway(threading.Thread):
    """Sends its frames, one in flight, until told to stop."""

    def __init__(
        self,
        name: SourceId,
        url: str,
        *,
        leave_out: tuple[str, ...] = (),
        on_taken: Callable[[], None],
    ) -> None:
        """Prepare a gateway; `on_taken` hears of every acknowledged frame."""
        super().__init__(name=name, daemon=True)
        self.gateway = name
        self.acknowledged = 0
        self.sent_again = 0
        self.found_taken = 0
        """Frames that the core had stored before it was killed, unacknowledged."""
        self.failure: BaseException | None = None
        self._url = url
        self._leave_out = leave_out
        self._on_taken = on_taken
        self._stopping = threading.Event()

    def run(self) -> None:
        """Send until stopped; what goes wrong is kept for `finish`."""
        try:
            with httpx.Client(
                base_url=self._url, trust_env=False, timeout=ANSWER_WITHIN_S
            ) as client:
                while not self._stopping.is_set():
                    self._send(client, self.acknowledged + 1)
                    self.acknowledged += 1
                    self._on_taken()
        except BaseException as error:
            self.failure = error
            self._on_taken()
            raise

    def finish(self) -> int:
        """Let the frame in flight be taken; return the last acknowledged number."""
        self._stopping.set()
        self.join(ANSWER_WITHIN_S)
        assert not self.is_alive(), f"{self.gateway} still waits for an answer"
        assert self.failure is None, f"{self.gateway}: {self.failure!r}"
        return self.acknowledged

    def _send(self, client: httpx.Client, seq: int) -> None:
        """Send a frame until it is acknowledged."""
        body = body_of(self.gateway, seq, leave_out=self._leave_out)
        while True:
            try:
                response = client.post(
                    "/v1/frames", content=body, headers=signed(self.gateway, body)
                )
            except httpx.TransportError:
                self._come_back(client, seq)
                continue
            if response.status_code not in BUSY:
                break
            self._stopping.wait(POLL_S)
        assert response.status_code == 200, response.text
        told: dict[str, Any] = response.json()
        assert (told["last_seq"], told["quarantined"]) == (seq, []), response.text

    def _come_back(self, client: httpx.Client, seq: int) -> None:
        """Ask for the last number until the core is up again: what was acknowledged is there."""
        clock = SystemClock()
        deadline = clock.monotonic_ms() + UP_WITHIN_MS
        while (last := last_seq(client, self.gateway)) is None:
            assert clock.monotonic_ms() < deadline, "the core does not come back"
            threading.Event().wait(POLL_S)
        assert last in {seq - 1, seq}, f"{self.gateway}: {last} is stored, {seq} was in flight"
        self.sent_again += 1
        self.found_taken += last == seq


def signed(gateway: SourceId, message: bytes) -> dict[str, str]:
    """Return the headers that prove who sends a message."""
    return {KEY_HEADER: key_id(gateway), SIGNATURE_HEADER: sign(KEYS[gateway], message)}


def last_seq(client: httpx.Client, gateway: SourceId) -> int | None:
    """Ask for the last number that the core has of a gateway; None: it does not answer."""
    path = f"/v1/sources/{gateway}/{EPOCH}"
    try:
        response = client.get(path, headers=signed(gateway, path.encode()))
    except httpx.TransportError:
        return None
    assert response.status_code == 200, response.text
    return int(response.json()["last_seq"])


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
