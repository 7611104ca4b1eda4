"""`meltwatch demo`: everything started, watched and ended in one command; all of it simulation."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meltwatch.apps.demo.smoke import Check, after_it, while_it_runs
from meltwatch.apps.demo.stage import HOST, PLANTS, Stage, is_free, open_accounts, set_up
from meltwatch.apps.processes import Child, Processes, watch
from meltwatch.apps.serve import children_of
from meltwatch.apps.simulate import argv_of
from meltwatch.clock import Clock, SystemClock
from meltwatch.errors import Problem, Refused

OK, FAILED, REFUSED = 0, 1, 2
PORT = 8700
PORTS_TRIED = 100
SETTLED_S = 3.0
"""How long the last frames may take from a gateway, which has ended, to the sealer's eyes."""


def run_demo(directory: Path | None, port: int, calm_s: float, *, smoke: bool) -> int:
    """Run the demonstration until Ctrl-C, or with `smoke` until it has shown what it must.

    Nothing happens to the plants for `calm_s`. Without a directory everything is in a temporary
    one, removed at the end. Raises Refused for a directory that is not empty.
    """
    if directory is not None and (problem := _unfit(directory)) is not None:
        raise Refused([problem])
    clock = SystemClock()
    with _directory(directory) as place:
        stage = set_up(place, port_for(port, ask=sys.stdin.isatty() and not smoke), calm_s)
        open_accounts(stage, clock.wall_ms())
        if smoke:
            return asyncio.run(_smoke(stage, clock))
        return watch(children(stage), clock, _say, lambda: _welcome(stage))


def children(stage: Stage) -> list[Child]:
    """Return the processes in the order of their start: the server, gateways, instruments."""
    found = children_of(stage.node, stage.data, host=HOST, intake=stage.intake, port=stage.port)
    for plant in PLANTS:
        config = str(stage.gateway(plant.enterprise))
        found.append(Child(name=plant.gateway, argv=("gateway", "--config", config)))
    for plant in PLANTS:
        argv = tuple(argv_of(stage.simulate(plant)))
        found.append(Child(name=f"sim-{plant.kind}", argv=argv))
    return found


def port_for(port: int, *, ask: bool) -> int:
    """Return the port itself if it is free; else the next free one, after asking if told to."""
    if is_free(port):
        return port
    found = next(one for one in range(port + 1, port + PORTS_TRIED) if is_free(one))
    print(f"meltwatch: 端口 {port} 已被占用 / port {port} is taken", flush=True)
    if ask:
        told = input(f"端口 / port [{found}]: ").strip()
        if told.isdigit() and 0 < int(told) < 1 << 16 and is_free(int(told)):
            return int(told)
    print(f"meltwatch: 改用端口 {found} / port {found} is taken instead", flush=True)
    return found


async def _smoke(stage: Stage, clock: Clock) -> int:
    """Let story 03 happen, look, end everything in order, compare; print one summary."""
    processes = Processes(children(stage), clock, _say)
    processes.start()
    checks = [Check("everything is ready", await processes.ready(), stage.address)]
    try:
        if checks[0].held:
            checks += await asyncio.to_thread(while_it_runs, stage, clock)
            await processes.stop(*(f"sim-{plant.kind}" for plant in PLANTS))
            await asyncio.sleep(SETTLED_S)
            await processes.stop(*(plant.gateway for plant in PLANTS))
    finally:
        await processes.stop()
    if checks[0].held:
        checks += await asyncio.to_thread(after_it, stage)
    return _summary(checks)


def _summary(checks: list[Check]) -> int:
    well = all(check.held for check in checks)
    print("\n熔哨 Meltwatch: demo smoke")
    for check in checks:
        print(f"  {'ok    ' if check.held else 'FAILED'} {check.name}: {check.seen}".rstrip(": "))
    held = sum(check.held for check in checks)
    print(f"{held} of {len(checks)} held: {'passed' if well else 'FAILED'}")
    sys.stdout.flush()
    return OK if well else FAILED


def _welcome(stage: Stage) -> None:
    """Say where to go, and note for programs what everything was set up with."""
    lines = [
        "",
        "熔哨 Meltwatch 演示 demonstration · 全部为仿真数据 all data are simulated",
        f"  浏览器打开 / open in a browser: {stage.address}",
    ]
    for who, one in stage.sign_ins.items():
        role = "县级监管 county officer" if who == "county" else f"企业 plant {who}"
        lines.append(f"  {role}: {one.login}  {one.password}")
    lines += [
        f"  约 {stage.calm_s:g} 秒后铸造井失水,排放阀不动作",
        f"  In some {stage.calm_s:g} s the casting well loses its water and its drain stays closed",
        "  Ctrl-C 结束全部 / Ctrl-C ends everything",
        "",
    ]
    print("\n".join(lines), flush=True)
    stage.keep()


def _say(line: str) -> None:
    print(line, flush=True)


def _unfit(directory: Path) -> Problem | None:
    """Return why a directory cannot be a new demonstration's: it may be one that runs."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        used = any(directory.iterdir())
    except OSError as error:
        return Problem(str(directory), "demo.directory_unusable", {"why": str(error)})
    return Problem(str(directory), "demo.directory_used") if used else None


@contextmanager
def _directory(told: Path | None) -> Iterator[Path]:
    if told is not None:
        told.mkdir(parents=True, exist_ok=True)
        yield told
        return
    with tempfile.TemporaryDirectory(prefix="meltwatch-demo-") as name:
        yield Path(name)
