"""kill -9 of a process that puts frames: all that it said it had is there, dense, byte for byte."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
from pathlib import Path

import meltwatch
from meltwatch.transport.frame import decode
from meltwatch.transport.outbox import Outbox, Signer
from meltwatch.transport.outbox_drop import merged
from meltwatch.transport.outbox_file import VERSION
from tests.transport.given import GATEWAY, SECRET

ROOT = Path(__file__).parents[2]
KILLS = 4
CHILD = """\
from pathlib import Path
from hashlib import sha256
from meltwatch.transport.outbox import Outbox, Signer
from meltwatch.transport.outbox_drop import Bound
from tests.transport.given import GATEWAY, NOW, SECRET

outbox = Outbox(Path(sys.argv[1]), GATEWAY, Signer("gw-1.a", SECRET), Bound(bytes=30_000))
life = int(sys.argv[2])
epoch = outbox.open_epoch(NOW, bytes(8))
start = NOW + life * 10**7
print("opened", epoch, 0, "", flush=True)
for n in range(1, 10**6):
    end = start + 1000
    told = outbox.put([["well-1/phase", end, n]] * (n % 40), start, end, now=end)
    start = end
    print("put", epoch, told.seq, end, flush=True)
    if n % 5 == 0 and life % 2:
        held = outbox.epochs()[0]
        sent = outbox.unsent(epoch, held.first - 1)
        print("sent", epoch, sent.seq, sha256(sent.body).hexdigest(), flush=True)
        outbox.forget(epoch, held.first)
        print("forgot", epoch, sent.seq, "", flush=True)
"""


def killed_after(path: Path, life: int, lines: int) -> list[list[str]]:
    """Let a child put until it has said so many lines, kill it, and return what it said."""
    paths = [str(ROOT), str(Path(meltwatch.__file__).parents[1])]
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}\n{CHILD}", path, str(life)],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout
        said = [child.stdout.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        said += child.stdout.readlines()
    assert said[0], "the child did not start"
    return [line[:-1].split(" ") for line in said if line.endswith("\n")]


def test_kills_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(20240808)
    path = tmp_path / "outbox.sqlite"
    epochs: list[str] = []
    for life in range(KILLS):
        said = killed_after(path, life, chance.randint(5, 70))
        epoch = said[0][1]
        assert all(epoch > former for former in epochs), "a new run is a new epoch"
        epochs.append(epoch)
        put = {int(seq): int(end) for what, _, seq, end in said if what == "put"}
        forgot = max((int(seq) for what, _, seq, _ in said if what == "forgot"), default=0)
        with Outbox(path, GATEWAY, Signer("gw-1.a", SECRET)) as outbox:
            held = outbox.epochs()[0]
            assert held.epoch == epoch
            assert held.last - len(put) in {0, 1}, "at most the put in hand was not said"
            assert held.first - 1 - forgot in {0, 1}
            seqs = range(held.first, held.last + 1)
            sealed = [outbox.unsent(held.epoch, seq - 1) for seq in seqs]
            for what, _, seq, digest in said:
                if what == "sent" and int(seq) >= held.first:
                    body = sealed[int(seq) - held.first].body
                    assert hashlib.sha256(body).hexdigest() == digest
            frames = [decode(one.body) for one in sealed]
            assert [one.seq for one in frames] == list(seqs)
            complete = merged((one.complete_from, one.complete_to) for one in frames)
            assert len(complete) == 1
            assert complete[0][1] >= max(put.values(), default=0)
            for frame in frames:
                assert (
                    frame.rows
                    or frame.lost
                    or frame.complete_from == frame.complete_to
                    or (frame.seq % 40 == 0)
                )
            assert outbox._file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert outbox._file.execute("PRAGMA user_version").fetchone() == (VERSION,)
