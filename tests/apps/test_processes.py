"""The supervisor: each process restarts alone, and none outlives the one that watches it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from meltwatch.apps.processes import Child, Ended, Processes
from meltwatch.clock import SystemClock

CLOCK = SystemClock()
WITHIN_S = 20.0
PLAY = """
import signal, sys, time
name, code = sys.argv[1], int(sys.argv[2])
print("here", name, flush=True)
if code >= 0:
    sys.exit(code)
def end(*_):
    print("bye", name, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    time.sleep(0.05)
"""


def play(name: str, code: int = -1) -> Child:
    """Return a child that says that it is here, and ends with a code or goes on."""
    return Child(name=name, argv=(name, str(code)), program=("-c", PLAY))


class Scene:
    """Processes that run in the background of a test, and what they said."""

    def __init__(self, *children: Child) -> None:
        self.said: list[str] = []
        self.processes = Processes(children, CLOCK, self.said.append)
        self.stop = asyncio.Event()
        self.processes.start()
        self.running = asyncio.create_task(self.processes.run(self.stop))

    async def until(self, holds: Callable[[], bool]) -> None:
        end = CLOCK.monotonic_ms() + WITHIN_S * 1000
        while not holds():
            assert CLOCK.monotonic_ms() < end, self.said
            await asyncio.sleep(0.02)

    async def end(self) -> Ended:
        self.stop.set()
        return await asyncio.wait_for(self.running, WITHIN_S)


def test_each_restarts_alone_and_all_end_in_the_reverse_of_their_order() -> None:
    async def scene() -> None:
        here = Scene(*(play(name) for name in ("one", "two", "three")))
        await here.until(
            lambda: sum(line.endswith(("one", "two", "three")) for line in here.said) == 3
        )
        others = {name: pid for name, pid in here.processes.pids.items() if name != "two"}
        killed = here.processes.pids["two"]
        os.kill(killed, signal.SIGKILL)
        await here.until(lambda: here.said.count("two: here two") == 2)
        assert here.processes.pids.items() >= others.items(), "the others went on"
        assert any(line.startswith("two: 已退出") for line in here.said)
        assert await here.end() == Ended()
        assert [line for line in here.said if "bye" in line] == [
            "three: bye three",
            "two: bye two",
            "one: bye one",
        ]

    asyncio.run(scene())


def test_one_that_refuses_its_input_ends_all_instead_of_trying_for_ever() -> None:
    async def scene() -> None:
        here = Scene(play("well"), play("wrong", 2))
        assert await asyncio.wait_for(here.running, WITHIN_S) == Ended(refused="wrong")
        assert here.said.count("wrong: here wrong") == 1

    asyncio.run(scene())


def test_one_that_ends_at_once_comes_again_later_and_later() -> None:
    async def scene() -> None:
        here = Scene(play("frail", 1))
        await here.until(lambda: here.said.count("frail: here frail") == 3)
        await here.end()
        waits = [line.rpartition("again in ")[2] for line in here.said if "again in" in line]
        assert waits[:2] == ["0.5 s", "1 s"]

    asyncio.run(scene())


SUPERVISOR = """
import asyncio
from meltwatch.apps.processes import Child, Processes
from meltwatch.clock import SystemClock

async def run():
    child = Child(name="core", argv=("simulate", "--kind", "steel", "--unit", "u", "--port", "0"))
    processes = Processes([child], SystemClock(), lambda line: None)
    processes.start()
    while not processes.pids:
        await asyncio.sleep(0.02)
    print(processes.pids["core"], flush=True)
    await processes.run(asyncio.Event())

asyncio.run(run())
"""


def test_a_child_does_not_outlive_a_supervisor_that_was_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert is_alive(child)
        process.kill()
    end = CLOCK.monotonic_ms() + WITHIN_S * 1000
    while is_alive(child):
        assert CLOCK.monotonic_ms() < end, "the child goes on unseen"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits to be looked at does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
