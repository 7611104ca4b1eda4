"""Somebody at a screen: signed in, reading a plant's live stream, noting when each occurrence came.

A process of its own (`python -m meltwatch.apps.bench.screen`), so that reading costs the sending
nothing; the monotonic clock is the same for all processes of a machine.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from meltwatch.apps.bench.server import Process, Server
from meltwatch.apps.bench.verdict import BenchFailed
from meltwatch.clock import SystemClock

LOGIN, PASSWORD = "bench", "only for trials on this machine"
READY_S = 60.0
SILENT_S = 120.0
DATA = b"data: "


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """An occurrence as it came: when, monotonic ns; its condition and instants, ms UTC."""

    at: int
    condition: str
    raised: int
    returned: int | None


class _Occurrence(msgspec.Struct):
    condition: str
    raised: int
    returned: int | None


class _Event(msgspec.Struct):
    occurrences: list[_Occurrence] = []


def open_account(server: Server, enterprise: str) -> None:
    """Let the one at the screen in, before the server is started."""
    server.data.mkdir(parents=True, exist_ok=True)
    argv = ["account", "add", "--data", str(server.data), "--login", f"{LOGIN}-{enterprise}"]
    argv += ["--name", "Bench", "--role", "shift", "--enterprise", enterprise, "--password-stdin"]
    subprocess.run(
        [sys.executable, "-m", "meltwatch.apps.cli", *argv],
        input=PASSWORD.encode(),
        stdout=subprocess.DEVNULL,
        check=True,
    )


class Screen(Process):
    """The process that looks on, and what it has seen."""

    def __init__(self, server: Server, enterprise: str, directory: Path) -> None:
        """Prepare one at a plant of a server that answers."""
        self.notes = directory / f"seen-{enterprise}.jsonl"
        argv = (server.address, enterprise, str(self.notes))
        super().__init__(
            argv, directory / "screen.log", program=("-m", "meltwatch.apps.bench.screen")
        )

    def wait_ready(self) -> None:
        """Wait until the first picture has come."""
        clock = SystemClock()
        began = clock.monotonic_ms()
        while not self.notes.exists():
            if not self.runs or clock.monotonic_ms() - began > READY_S * 1000:
                raise BenchFailed(f"the live stream does not come: {self.said()[-2000:]}")
            threading.Event().wait(0.05)

    def seen(self) -> dict[tuple[str, int], int]:
        """Return when each occurrence first came, by condition and raise; monotonic ns."""
        found: dict[tuple[str, int], int] = {}
        decoder = msgspec.json.Decoder(Seen)
        lines = self.notes.read_bytes().splitlines() if self.notes.exists() else []
        for one in map(decoder.decode, lines):
            found.setdefault((one.condition, one.raised), one.at)
        return found


def look_on(address: str, enterprise: str, notes: Path) -> None:
    """Note what the live stream of a plant tells until it ends."""
    clock = SystemClock()
    host = urlsplit(address).netloc
    cookie = signed_in(host, f"{LOGIN}-{enterprise}")
    connection = http.client.HTTPConnection(host, timeout=SILENT_S)
    connection.request("GET", f"/api/plants/{enterprise}/live", headers={"Cookie": cookie})
    answer = connection.getresponse()
    if answer.status != http.HTTPStatus.OK:
        raise BenchFailed(f"{answer.status} {answer.read()[:500]!r}")
    decoder, encoder = msgspec.json.Decoder(_Event), msgspec.json.Encoder()
    kind = b""
    while line := answer.readline():
        if line.startswith(b"event: "):
            kind = line[7:].strip()
        if not line.startswith(DATA):
            continue
        at = clock.monotonic_ns()
        told = decoder.decode(line[len(DATA) :]) if kind in (b"delta", b"picture") else None
        if told is None and kind != b"beat":
            continue
        with notes.open("ab") as file:
            for one in told.occurrences if told else ():
                seen = Seen(at, one.condition, one.raised, one.returned)
                file.write(encoder.encode(seen) + b"\n")


def signed_in(host: str, login: str) -> str:
    """Return the cookie of a session."""
    connection = http.client.HTTPConnection(host, timeout=SILENT_S)
    told = msgspec.json.encode({"login": login, "password": PASSWORD})
    headers = {"Content-Type": "application/json", "Meltwatch-Request": "1"}
    connection.request("POST", "/api/session", told, headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise BenchFailed(f"{answer.status} {body[:500]!r}")
    return (answer.getheader("Set-Cookie") or "").partition(";")[0]


if __name__ == "__main__":
    look_on(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
