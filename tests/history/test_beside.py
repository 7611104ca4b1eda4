"""A reader in another process, while the sealer seals and compacts, sees the old set or the new."""

from __future__ import annotations

import subprocess
from pathlib import Path

from meltwatch.history.catalogue import FILE, Catalogue
from meltwatch.history.errors import Damaged
from meltwatch.history.look import look
from meltwatch.ledger.memory import MemoryHome
from tests.history.telling import PLANT, Told, kept, random_log
from tests.history.test_kill import SEED, start

FRAMES = 420
EVER = (-(10**15), 10**15)


def test_every_look_holds_what_was_sealed_and_nothing_twice(tmp_path: Path) -> None:
    log = random_log(SEED, FRAMES)
    empty = MemoryHome().stream
    seen: set[int] = set()
    hours = 0
    with start(tmp_path, FRAMES) as process:
        while running(process) or not seen:
            if not (tmp_path / FILE).exists():
                continue
            one = look(tmp_path, empty, PLANT, EVER)
            try:
                rows = one.rows(None, *EVER)
            except Damaged:
                continue  # the other's clock runs hours a second: the grace is over at once
            points = [rows.points[place] for place in rows.point.tolist()]
            columns = (rows.at.tolist(), rows.value.tolist(), rows.quality.tolist())
            found: list[Told] = sorted(zip(points, *columns, strict=True))
            sealed_to = one.view.sealed_to
            assert found == sorted(kept(told for told in log if told[0] <= sealed_to))
            seen.add(sealed_to)
            hours = max(hours, sum(file.kind == "hour" for file in one.view.segments))
    assert process.returncode == 0
    assert len(seen) > 3
    assert hours > 1
    Catalogue(tmp_path).close()


def running(process: subprocess.Popen[str]) -> bool:
    """Return whether the sealing process goes on; what it says fits into the pipe."""
    return process.poll() is None
