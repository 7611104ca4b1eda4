"""The disk fills up: frames are refused with words, the node's own alarms go on, all comes back.

A real disk of 48 MiB (a tmpfs, which only root may mount; others skip this and are told so), filled
to its last byte by a file that is not ours.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from meltwatch.alarm.occurrence import AlarmEvent
from meltwatch.apps.node import node_of
from meltwatch.apps.seal import LEDGER
from meltwatch.clock import SystemClock
from meltwatch.journey import Effect, Journey
from meltwatch.ledger.check import check
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.room import MIB, RESERVE
from meltwatch.model.encoding import decode, encode, record_of
from meltwatch.model.ids import SourceId
from tests.durability.plant import EPOCH, NODE, TEMPLATE, body_of
from tests.durability.sender import CoreProcess, signed

ONE, OTHER = SourceId("gw-1"), SourceId("gw-2")
DISK = 48 * MIB
CHUNK = 64 * 1024
WITHIN_MS = 20_000
OFFLINE = "  line: {kind: offline, level: 2}\n"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() or mount is None:
        pytest.skip("a small disk can be mounted by root only: a full disk was NOT tried")
    told = [mount, "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    if subprocess.run(told, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs: a full disk was NOT tried")
    try:
        yield place
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", str(place)], check=True)


def write_node(directory: Path) -> Path:
    """Write a plant whose second gateway is offline three seconds after its last frame."""
    (directory / "template.yaml").write_text(TEMPLATE + OFFLINE, encoding="utf-8")
    path = directory / "node.yaml"
    first, _, second = NODE.partition("      gw-2:\n        offline_s: 9000000")
    path.write_text(f"{first}      gw-2:\n        offline_s: 3{second}", encoding="utf-8")
    return path


def fill(disk: Path, leave: int = 0) -> Path:
    """Fill the disk with what is not ours, to its last byte or but for `leave` bytes."""
    path = disk / "not-ours"
    told = os.statvfs(disk)
    left = told.f_bavail * told.f_frsize - leave
    with path.open("wb", buffering=0) as file, suppress(OSError):  # a core may write meanwhile
        while left > 0:
            left -= file.write(bytes(min(left, CHUNK)))
    return path


def send(core: CoreProcess, gateway: SourceId, seq: int) -> httpx.Response:
    body = body_of(gateway, seq)
    address = f"{core.url}/v1/frames"
    return httpx.post(address, content=body, headers=signed(gateway, body), trust_env=False)


def wait_for(so: Callable[[], bool], core: CoreProcess) -> None:
    """Wait until something is so; the core must live meanwhile."""
    clock = SystemClock()
    deadline = clock.monotonic_ms() + WITHIN_MS
    while not so():
        assert not core.ended_within(0.05), core.said()
        assert clock.monotonic_ms() < deadline, core.said()


def alarms(ledger: Path) -> list[str]:
    """Return the conditions raised, from committed effects, beside the core."""
    query = "SELECT data FROM effects ORDER BY id"
    with closing(sqlite3.connect(ledger / "state.sqlite")) as file:
        told = [decode(bytes(data), Effect) for (data,) in file.execute(query)]
    return [
        one.occurrence.condition
        for one in told
        if isinstance(one, AlarmEvent) and one.told.value == "raised"
    ]


def test_a_full_disk_refuses_frames_and_loses_no_alarm(tmp_path: Path, disk: Path) -> None:
    node, data = write_node(tmp_path), disk / "data"
    ledger = data / LEDGER
    with CoreProcess(node, data) as core:
        wait_for((ledger / RESERVE).exists, core)
        for seq in range(1, 11):
            assert send(core, ONE, seq).status_code == 200
            assert send(core, OTHER, seq).status_code == 200
        filler = fill(disk)
        refused = send(core, ONE, 11)
        assert refused.status_code == 507, refused.text
        told = refused.json()
        assert told["refused"] == "frame.no_room"
        assert told["retry"] is True
        assert int(refused.headers["retry-after"]) * 1000 == told["after_ms"] > 0
        assert "MiB" in told["title"]
        # The second gateway falls silent: its alarm is the node's own, by its clock alone.
        wait_for(lambda: "well-2/line" in alarms(ledger), core)
        assert not (ledger / RESERVE).exists(), "the reserve was given up for it"
        assert send(core, ONE, 11).status_code == 507

        core.kill()  # and it starts on the full disk too
        core.start_and_wait()
        assert send(core, ONE, 11).status_code == 507

        filler.unlink()
        wait_for(lambda: send(core, ONE, 11).status_code == 200, core)
        wait_for((ledger / RESERVE).exists, core)
        for seq in range(12, 15):
            assert send(core, ONE, seq).status_code == 200
        assert core.stop() == 0, core.said()
        assert core.said().count("frame.no_room") >= 1
    sound(node, ledger, {ONE: 14, OTHER: 10})


def test_below_the_floor_frames_wait_and_the_reserve_stays(tmp_path: Path, disk: Path) -> None:
    node, data = write_node(tmp_path), disk / "data"
    with CoreProcess(node, data) as core:
        wait_for((data / LEDGER / RESERVE).exists, core)
        assert send(core, ONE, 1).status_code == 200
        filler = fill(disk, leave=3 * MIB)
        assert send(core, ONE, 2).status_code == 507
        assert (data / LEDGER / RESERVE).exists()
        filler.unlink()
        assert send(core, ONE, 2).status_code == 200
    sound(node, data / LEDGER, {ONE: 2})


def test_gateways_that_press_on_through_a_full_disk_lose_and_double_nothing(
    tmp_path: Path, disk: Path
) -> None:
    """Frames are in flight while the last byte goes, again and again."""
    node, data = write_node(tmp_path), disk / "data"
    acknowledged: list[int] = [0]
    stopping = threading.Event()

    with CoreProcess(node, data) as core:

        def press_on() -> None:
            while not stopping.is_set():
                if send(core, ONE, acknowledged[0] + 1).status_code == 200:
                    acknowledged[0] += 1

        sending = threading.Thread(target=press_on, daemon=True)
        sending.start()
        for _ in range(4):
            before = acknowledged[0]
            wait_for(lambda before=before: acknowledged[0] > before + 5, core)  # type: ignore[misc]
            filler = fill(disk)
            assert not core.ended_within(1.5), core.said()
            filler.unlink()
        stopping.set()
        sending.join()
    sound(node, data / LEDGER, {ONE: acknowledged[0]}, at_least=True)


def sound(
    node: Path, ledger: Path, acknowledged: dict[SourceId, int], *, at_least: bool = False
) -> None:
    """Hold the ledger sound, complete to what was acknowledged, and its effects to a re-run."""
    assert check(ledger) == []
    (plant,) = node_of(node).plants.values()
    with closing(EmbeddedHome(ledger)) as home:
        for gateway, last in acknowledged.items():
            stored = home.stream.last_seq(f"{gateway}/{EPOCH}")
            assert stored == last or (at_least and stored == last + 1)
        log = [record_of(one.data) for one in home.stream.read(plant.enterprise, 0, 1_000_000)]
        effects = [one.data for one in home.partition(plant.enterprise).effects(0, 1_000_000)]
    journey = Journey.begin(plant.enterprise)
    assert effects == [encode(effect) for record in log for effect in journey.step(record)]
