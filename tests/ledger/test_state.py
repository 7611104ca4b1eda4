"""What only the embedded home's `state.sqlite` has to get right."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from meltwatch.ledger.check import check
from meltwatch.ledger.database import Opening
from meltwatch.ledger.errors import Fenced, Unavailable
from meltwatch.ledger.port import Partition
from meltwatch.ledger.state import StateFile
from tests.ledger.telling import PLANT, embedded

QUICK = Opening("off", busy_ms=20)


def with_checkpoints(path: Path) -> None:
    """Make a ledger with checkpoints at 2 and 4."""
    with closing(embedded(path)) as home:
        owner = home.partition(PLANT)
        owner.acquire()
        for pos in (2, 4):
            owner.commit(pos, [])
            owner.checkpoint(pos, f"state at {pos}".encode())


def spoil(path: Path, pos: int) -> None:
    """Change a checkpoint's bytes behind the program's back."""
    with closing(sqlite3.connect(path / "state.sqlite", isolation_level=None)) as other:
        other.execute("UPDATE checkpoints SET state = x'00' WHERE pos = ?", (pos,))


def test_a_damaged_checkpoint_falls_back_to_the_former(tmp_path: Path) -> None:
    with_checkpoints(tmp_path)
    spoil(tmp_path, 4)
    (finding,) = check(tmp_path)
    assert (finding.key, finding.params["pos"]) == ("ledger.checkpoint_damaged", 4)
    with closing(embedded(tmp_path)) as home:
        owner = home.partition(PLANT)
        owned = owner.acquire()
        assert (owned.committed, owned.checkpoint, owned.state) == (4, 2, b"state at 2")
        assert owned.damaged == (4,)
        # The next checkpoints push the damaged one out, not the sound one.
        owner.checkpoint(3, b"state at 3")
        assert home.partition(PLANT).acquire().state == b"state at 3"


def test_without_a_sound_checkpoint_the_owner_starts_from_nothing(tmp_path: Path) -> None:
    with_checkpoints(tmp_path)
    spoil(tmp_path, 2)
    spoil(tmp_path, 4)
    with closing(embedded(tmp_path)) as home:
        owned = home.partition(PLANT).acquire()
    assert (owned.committed, owned.checkpoint, owned.state) == (4, 0, None)
    assert owned.damaged == (4, 2)


def test_owners_in_two_processes_fence_each_other(tmp_path: Path) -> None:
    """Two openings of the file stand for two processes: nothing is shared but the disk."""
    path = tmp_path / "state.sqlite"
    with closing(StateFile(path, QUICK)) as one, closing(StateFile(path, QUICK)) as two:
        zombie: Partition = one.partition(PLANT)
        zombie.acquire()
        zombie.commit(1, [b"a"])
        heir = two.partition(PLANT)
        assert heir.acquire().committed == 1
        with pytest.raises(Fenced):
            zombie.commit(2, [b"ghost"])
        heir.commit(2, [b"b"])
        assert [effect.data for effect in zombie.effects(0, 10)] == [b"a", b"b"]


def test_a_locked_file_is_unavailable_and_the_retry_commits_once(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with (
        closing(StateFile(path, QUICK)) as file,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        owner = file.partition(PLANT)
        owner.acquire()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            owner.commit(1, [b"a"])
        other.execute("ROLLBACK")
        assert owner.commit(1, [b"a"])
        assert not owner.commit(1, [b"a"])
        assert [effect.data for effect in owner.effects(0, 10)] == [b"a"]
