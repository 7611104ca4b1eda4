"""A backup taken while all runs is restored, checked, and goes on; nothing is written over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from meltwatch.apps.account import REGISTER
from meltwatch.apps.backup import MANIFEST, Manifest, backup
from meltwatch.apps.cli import main
from meltwatch.apps.core import entry_of
from meltwatch.apps.core_order import record_stored
from meltwatch.apps.node import node_of
from meltwatch.apps.restore import restore, wrong_with_restored
from meltwatch.apps.seal import HISTORY, LEDGER, seal
from meltwatch.audit.chain import Head
from meltwatch.clock import SystemClock
from meltwatch.errors import Refused
from meltwatch.history.read import check as check_history
from meltwatch.history.read import read_rows
from meltwatch.journey import Journey
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.reading import EmbeddedReader
from meltwatch.model.encoding import encode
from meltwatch.model.log import Acknowledge, TickRecord
from meltwatch.present.live.core_line import Obeyed
from meltwatch.register.register import Register
from tests.apps.core_node import NOW, ONE, Node, acknowledge
from tests.durability.plant import EPOCH, UNITS, write_node
from tests.durability.sender import CoreProcess, Gateway
from tests.durability.test_kill import Tally
from tests.ledger.telling import PLANT, embedded, everything

CLOCK = SystemClock()


def quiet(_: str) -> None:
    """Say nothing."""


def rows_of(directory: Path) -> list[tuple[object, ...]]:
    rows = read_rows(directory)
    return sorted(
        zip(
            (rows.points[one] for one in rows.point.tolist()),
            rows.at.tolist(),
            rows.value.tolist(),
            rows.quality.tolist(),
            rows.seq.tolist(),
            strict=True,
        )
    )


def test_a_backup_of_a_node_that_runs_is_whole_sound_and_goes_on(tmp_path: Path) -> None:
    node, data = write_node(tmp_path), tmp_path / "data"
    (plant,) = node_of(node).plants.values()
    tally = Tally()
    with CoreProcess(node, data) as core:
        gateways = [Gateway(name, core.url, on_taken=tally.one_more) for name in UNITS]
        for gateway in gateways:
            gateway.start()
        tally.wait_for(60, gateways)
        seal(data, [plant.enterprise], CLOCK, once=True)
        tally.wait_for(20, gateways)
        acknowledged = {one.gateway: one.acknowledged for one in gateways}
        lines: list[str] = []
        made = backup(data, tmp_path / "copy", CLOCK, lines.append)
        tally.wait_for(20, gateways)
        for gateway in gateways:
            gateway.finish()
        assert core.stop() == 0, core.said()
    assert made.files == len(lines) > 5
    assert (tmp_path / "copy" / MANIFEST).exists()

    again = tmp_path / "again"
    restore(tmp_path / "copy", again, CLOCK, quiet)
    assert wrong_with_restored(again) == []
    assert check_history(again / HISTORY / plant.enterprise) == []
    sealed = rows_of(again / HISTORY / plant.enterprise)
    assert sealed
    assert sealed == rows_of(data / HISTORY / plant.enterprise)
    with closing(EmbeddedReader(again / LEDGER)) as restored:
        for name, last in acknowledged.items():
            assert restored.last_seq(f"{name}/{EPOCH}") >= last, "acknowledged before, so in it"

    with CoreProcess(node, again) as core:  # it goes on where the copy ends
        assert core.stop() == 0, core.said()
    with closing(EmbeddedHome(again / LEDGER)) as home:
        journey = Journey.begin(plant.enterprise)
        log = home.stream.read(plant.enterprise, 0, 1_000_000)
        assert [one.data for one in home.partition(plant.enterprise).effects(0, 1_000_000)] == [
            encode(effect) for one in log for effect in journey.step(record_stored(one.data))
        ]


def test_both_audit_chains_are_cut_at_one_moment(tmp_path: Path) -> None:
    """People order while it is copied: each chain tells of heads that the other one has."""
    data = tmp_path / "data"
    node = Node(data)
    node.frame(ONE.enterprise, 1, 61.0)
    which = node.occurrence(ONE.enterprise)
    stopping = threading.Event()
    with closing(Register.open(data / REGISTER, "county")) as register:

        def people() -> None:
            while not stopping.is_set():
                command: Acknowledge = acknowledge(which)
                order = register.order(ONE.enterprise, command, NOW)
                answer = node.cores[ONE.enterprise].obey(order, NOW)
                assert isinstance(answer, Obeyed)
                register.answered(order.seq, answer, NOW)

        ordering = threading.Thread(target=people, daemon=True)
        ordering.start()
        try:
            for number in range(5):
                backup(data, tmp_path / f"copy-{number}", CLOCK, quiet)
        finally:
            stopping.set()
            ordering.join()
    node.home.close()
    for number in range(5):
        restore(tmp_path / f"copy-{number}", tmp_path / f"again-{number}", CLOCK, quiet)
        assert wrong_with_restored(tmp_path / f"again-{number}") == []


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[EmbeddedHome]:
    """A ledger of five files of three entries."""
    with closing(embedded(tmp_path / "data" / LEDGER)) as home:
        for number in range(5):
            first = number * 3 + 1
            record = TickRecord(at=number * 1_000)
            home.stream.append(
                PLANT, [entry_of(record, "g/1", seq, b"d") for seq in range(first, first + 3)]
            )
        yield home


def test_retention_meanwhile_makes_it_begin_anew(tmp_path: Path, ledger: EmbeddedHome) -> None:
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            assert ledger.stream.retain({PLANT: 6}) == 6

    backup(tmp_path / "data", tmp_path / "copy", CLOCK, say)
    assert any("begins anew" in line for line in said)
    restore(tmp_path / "copy", tmp_path / "again", CLOCK, quiet)
    with closing(embedded(tmp_path / "again" / LEDGER)) as home:
        assert [one.seq for one in everything(home.stream, after=6)] == list(range(7, 16))
    assert wrong_with_restored(tmp_path / "again") == []


def test_retention_that_never_rests_ends_it_with_words(
    tmp_path: Path, ledger: EmbeddedHome
) -> None:
    gone = iter(range(3, 100, 3))

    def say(line: str) -> None:
        if "index.sqlite" in line:
            ledger.stream.retain({PLANT: next(gone)})

    with pytest.raises(Refused) as refused:
        backup(tmp_path / "data", tmp_path / "copy", CLOCK, say)
    assert [one.key for one in refused.value.problems] == ["backup.disturbed"]
    assert not (tmp_path / "copy").exists()


def test_nothing_is_written_over(
    tmp_path: Path, ledger: EmbeddedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    data, copy = str(tmp_path / "data"), str(tmp_path / "copy")
    assert ledger.audit_head() == Head("core")
    assert main(["backup", data, copy]) == 0
    assert "files, " in capsys.readouterr().out
    assert main(["backup", data, copy]) == 2
    assert main(["backup", data, str(tmp_path / "data" / "inside")]) == 2
    assert main(["backup", str(tmp_path / "nothing"), str(tmp_path / "other")]) == 2
    assert main(["restore", copy, data]) == 2
    assert main(["restore", data, str(tmp_path / "new")]) == 2
    (tmp_path / "empty").mkdir()
    assert main(["restore", copy, str(tmp_path / "empty")]) == 0


@pytest.mark.parametrize("how", ["changed", "gone", "outside"])
def test_a_backup_that_is_not_what_was_made_is_refused(
    tmp_path: Path, ledger: EmbeddedHome, how: str
) -> None:
    backup(tmp_path / "data", tmp_path / "copy", CLOCK, quiet)
    assert ledger.stream.healed == []
    path = tmp_path / "copy" / LEDGER / f"log-{1:019d}.sqlite"
    key = "restore.file_differs"
    if how == "changed":
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    elif how == "gone":
        path.unlink()
        key = "restore.file_unreadable"
    else:
        manifest = tmp_path / "copy" / MANIFEST
        told = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
        told.files["../outside"] = next(iter(told.files.values()))
        manifest.write_bytes(msgspec.json.encode(told))
        key = "restore.name"
    with pytest.raises(Refused) as refused:
        restore(tmp_path / "copy", tmp_path / "again", CLOCK, quiet)
    assert [one.key for one in refused.value.problems] == [key]
    assert not (tmp_path / "again").exists()
