"""Several processes of ours, started, watched and ended together.

Each restarts alone, with a back-off, and takes no other down. One that refuses its input (exit
code 2) will refuse it again: then all end, and what it said is on the screen. At the end they go
in the reverse of the order in which they came.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx
import msgspec

from meltwatch.apps.signals import signalled
from meltwatch.clock import Clock

REFUSED = 2
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.5, 30.0
LIVED_S = 60.0
"""One that has lived so long was well: its next restart does not wait long."""
STOP_S = 20.0
READY_S = 60.0
ASK_EVERY_S, ASK_S = 0.2, 2.0
LINE_BYTES = 1 << 20

Say = Callable[[str], None]


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One process: its name, its command of `meltwatch`, and what answers once it is ready.

    `argv` starts with the command. `program`: what Python runs it with.
    """

    name: str
    argv: tuple[str, ...]
    ready: str | None = None
    program: tuple[str, ...] = ("-m", "meltwatch.apps.child")


class Ended(msgspec.Struct, frozen=True):
    """How it ended: the child that refused its input, if one did."""

    refused: str | None = None


class Processes:
    """The supervisor of some children."""

    def __init__(self, children: Sequence[Child], clock: Clock, say: Say) -> None:
        """Watch children in the order of their start; `say` is told every line."""
        self.children = tuple(children)
        self.pids: dict[str, int] = {}
        """The process of each child that runs now."""
        self._clock = clock
        self._say = say
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._stopped: set[str] = set()
        self._refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def has_refused(self) -> bool:
        """Return whether a child has refused its input: all are ended then."""
        return self._refused.done()

    def start(self) -> None:
        """Start every child, in order."""
        for child in self.children:
            self._keeping[child.name] = asyncio.create_task(self._keep(child))

    async def ready(self, within_s: float = READY_S) -> bool:
        """Wait until every child that has an address answers there.

        Returns False when one has refused its input or does not answer in time.
        """
        asking = [asyncio.create_task(_answers(child)) for child in self.children if child.ready]
        waiting = asyncio.gather(*asking)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(within_s):
                await _first(waiting, self._refused)
        except TimeoutError:
            pass
        well = waiting.done()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        return well

    async def run(self, stop: asyncio.Event) -> Ended:
        """Watch until `stop` is set or a child refuses its input; then end all."""
        stopping = asyncio.create_task(stop.wait())
        await _first(stopping, self._refused)
        stopping.cancel()
        await self.stop()
        return Ended(self._refused.result() if self._refused.done() else None)

    async def stop(self, *names: str) -> None:
        """End the named children, all by default, the last started first; each has its time."""
        for child in reversed(self.children):
            if child.name in self._keeping and (not names or child.name in names):
                self._stopped.add(child.name)
                await self._end(child.name)

    # one child

    async def _keep(self, child: Child) -> None:
        wait_s = FIRST_BACKOFF_S
        while child.name not in self._stopped:
            began = self._clock.monotonic_ms()
            code = await self._live(child)
            if child.name in self._stopped:
                return
            if code == REFUSED:
                if not self._refused.done():
                    self._refused.set_result(child.name)
                return
            lived_s = (self._clock.monotonic_ms() - began) / 1000
            wait_s = FIRST_BACKOFF_S if lived_s >= LIVED_S else wait_s
            again = f"已退出,{wait_s:g} 秒后重启 / ended with {code}, again in {wait_s:g} s"
            self._say(f"{child.name}: {again}")
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_BACKOFF_S)

    async def _live(self, child: Child) -> int:
        """Let a child live once; return its exit code."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *child.program, *child.argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on, in order
            limit=LINE_BYTES,
        )
        self._running[child.name], self.pids[child.name] = process, process.pid
        try:
            await self._pass_on(child.name, process)
            return await process.wait()
        finally:
            if process.stdin is not None:
                process.stdin.close()
            del self._running[child.name], self.pids[child.name]

    async def _pass_on(self, name: str, process: asyncio.subprocess.Process) -> None:
        """Say each line of a child under its name, until it has no more to say."""
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than any line of ours: what is left of it comes next
                continue
            if not line:
                return
            self._say(f"{name}: {line.decode('utf-8', 'replace').rstrip()}")

    async def _end(self, name: str) -> None:
        process, keeping = self._running.get(name), self._keeping[name]
        if process is None:
            keeping.cancel()  # it waits for its next life
        else:
            with suppress(ProcessLookupError):
                process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await asyncio.wait({keeping})
        except TimeoutError:
            self._say(f"{name}: 未按时结束,强制结束 / did not end in {STOP_S:g} s, is killed")
            if process is not None:
                with suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait({keeping}, timeout=STOP_S)


async def _become_ready(processes: Processes, say: Say) -> bool:
    """Wait until all are ready, however long, saying that it takes long; False: one refused."""
    while not await processes.ready():
        if processes.has_refused:
            return False
        say("meltwatch: 尚未就绪,继续等待 / not ready yet, still waiting")
    return True


async def _first(*awaited: asyncio.Future[Any]) -> None:
    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)


async def _answers(child: Child) -> None:
    assert child.ready is not None
    async with httpx.AsyncClient(timeout=ASK_S, trust_env=False) as client:
        while True:
            with suppress(httpx.HTTPError):
                if (await client.get(child.ready)).is_success:
                    return
            await asyncio.sleep(ASK_EVERY_S)


def watch(children: Sequence[Child], clock: Clock, say: Say, on_ready: Callable[[], None]) -> int:
    """Run children until SIGINT or SIGTERM; return 0, or 2 when one refused its input."""

    async def until_signalled() -> int:
        stop = asyncio.Event()
        with signalled(stop):
            processes = Processes(children, clock, say)
            processes.start()
            ready = asyncio.create_task(_become_ready(processes, say))
            stopping = asyncio.create_task(stop.wait())
            await _first(ready, stopping)
            stopping.cancel()
            if not ready.cancel() and ready.result():
                on_ready()
            ended = await processes.run(stop)
        return 0 if ended.refused is None else REFUSED

    return asyncio.run(until_signalled())
