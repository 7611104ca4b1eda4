"""Acknowledged is on the disk: a 200 leaves after a sync that began after its frame's write.

A kill of the process shows nothing of this, since the system keeps what was written; so the system
calls themselves are looked at. With `--sync off` the same look must find every answer too early.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from meltwatch.model.ids import SourceId
from tests.durability.plant import UNITS, write_node
from tests.durability.sender import ANSWER_WITHIN_S, CoreProcess, Gateway
from tests.durability.trace import CALLS, Found, Frame, judge

FRAMES_EACH = 25
INSTALL_WITHIN_S = 180
ONE, OTHER = UNITS
ROWS = {4: ONE, 3: ONE, 2: OTHER, 1: OTHER}
LEAVE_OUT: dict[SourceId, tuple[str, ...]] = {ONE: (), OTHER: ("level", "temp")}
WAL = "5</data/log-0000000000000000001.sqlite-wal>"


@pytest.fixture(scope="session")
def strace() -> str:
    """Return the tracer, installed if it is missing and may be; skip where it cannot work."""
    if shutil.which("strace") is None:
        _install()
    tracer = shutil.which("strace")
    if tracer is None:
        pytest.skip("strace is missing: `apt-get install strace` (or your system's package of it)")
    tried = subprocess.run(
        [tracer, "-f", "-o", os.devnull, "/bin/true"], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here (ptrace is forbidden): {tried.stderr.strip()}")
    return tracer


def _install() -> None:
    """Install the package where we are root and the system is Debian's kind."""
    tool = shutil.which("apt-get")
    if tool is None or os.geteuid() != 0:
        return
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "strace"]):
        try:
            subprocess.run(
                [tool, "--quiet", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=INSTALL_WITHIN_S,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"strace is missing and cannot be installed: {error}")


def traced(tmp_path: Path, strace: str, sync: str) -> Found:
    """Let two gateways send to a traced core; return what the trace shows."""
    trace = tmp_path / "trace"
    tracer = [strace, "-f", "-y", "-s", "20000", "-e", f"trace={CALLS}", "-o", str(trace)]
    sent = threading.Semaphore(0)
    with CoreProcess(write_node(tmp_path), tmp_path / "ledger", sync=sync, tracer=tracer) as core:
        gateways = [
            Gateway(name, core.url, leave_out=LEAVE_OUT[name], on_taken=sent.release)
            for name in UNITS
        ]
        for gateway in gateways:
            gateway.start()
        while not any(one.failure for one in gateways) and any(
            one.acknowledged < FRAMES_EACH for one in gateways
        ):
            assert sent.acquire(timeout=ANSWER_WITHIN_S), "no answer any more"
        acknowledged = {one.gateway: one.finish() for one in gateways}
        with trace.open(encoding="ascii") as lines:
            pid = int(next(lines).split()[0])
        os.kill(pid, signal.SIGTERM)
        assert core.process.wait(ANSWER_WITHIN_S) == 0, core.said()
    with trace.open(encoding="ascii") as lines:
        found = judge(lines, ROWS)
    everything = {Frame(name, seq) for name, last in acknowledged.items() for seq in _to(last)}
    assert len(found.acknowledged) == len(everything)
    assert set(found.acknowledged) == everything
    return found


def _to(last: int) -> range:
    return range(1, last + 1)


def test_no_answer_leaves_before_its_frame_is_on_the_disk(tmp_path: Path, strace: str) -> None:
    found = traced(tmp_path, strace, "full")
    assert len(found.acknowledged) >= 2 * FRAMES_EACH
    assert found.too_early == []


def test_the_look_finds_a_core_that_does_not_wait_for_the_disk(tmp_path: Path, strace: str) -> None:
    found = traced(tmp_path, strace, "off")
    assert found.too_early == found.acknowledged


def write(seq: int, gateway: SourceId = ONE) -> str:
    body = f'..{{"v":1,"gateway":"{gateway}","epoch":"e","seq":{seq},"mark"..'
    return f'7 pwrite64({WAL}, "{_told(body)}", 16384, 32) = 16384'


def answer(seq: int, rows: int = 4, fd: int = 9) -> list[str]:
    body = f'{{"accepted":{rows},"quarantined":[],"last_seq":{seq},"server_time":1}}'
    return [
        f'7 sendto({fd}<socket:[1]>, "HTTP/1.1 200 OK\\r\\n\\r\\n", 19, 0, NULL, 0) = 19',
        f'7 sendto({fd}<socket:[1]>, "{_told(body)}", 60, 0, NULL, 0) = 60',
    ]


def _told(text: str) -> str:
    return text.replace('"', '\\"')


SYNC = f"7 fdatasync({WAL}) = 0"
SYNC_OF_ANOTHER = "7 fdatasync(6</data/state.sqlite-wal>) = 0"
SYNC_BEGUN = f"8 fdatasync({WAL} <unfinished ...>"
SYNC_ENDED = "8 <... fdatasync resumed>) = 0"
FIRST = Frame(ONE, 1)


@pytest.mark.parametrize(
    ("lines", "too_early"),
    [
        ([write(1), SYNC, *answer(1)], []),
        ([write(1), SYNC_BEGUN, SYNC_ENDED, *answer(1)], []),
        ([write(1), write(1, OTHER), SYNC, *answer(1, 2, 8), *answer(1, 4)], []),
        ([write(1), *answer(1), SYNC], [FIRST]),
        ([SYNC, write(1), *answer(1)], [FIRST]),
        ([write(1), SYNC_OF_ANOTHER, *answer(1)], [FIRST]),
        ([write(1), SYNC.replace("= 0", "= -1 EIO (Input/output error)"), *answer(1)], [FIRST]),
        ([SYNC_BEGUN, write(1), SYNC_ENDED, *answer(1)], [FIRST]),
        ([write(1), SYNC_BEGUN, *answer(1), SYNC_ENDED], [FIRST]),
        ([write(1), answer(1)[0], SYNC, answer(1)[1]], [FIRST]),
        ([SYNC, *answer(1)], [FIRST]),
        ([write(1), SYNC, *answer(1), write(2), *answer(2)], [Frame(ONE, 2)]),
        ([write(1), SYNC, write(1, OTHER), *answer(1, 2, 8), *answer(1)], [Frame(OTHER, 1)]),
    ],
)
def test_a_trace_is_judged(lines: list[str], too_early: list[Frame]) -> None:
    assert judge(lines, ROWS).too_early == too_early
