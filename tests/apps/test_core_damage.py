"""A core whose log is damaged starts, judges what is left, and says what it has lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from meltwatch.alarm.occurrence import AlarmEvent
from meltwatch.apps.cli import main
from meltwatch.apps.core import Core
from meltwatch.apps.core_damage import found_at_start, found_in
from meltwatch.journey import Effect
from meltwatch.ledger.port import Appended
from meltwatch.model.encoding import decode
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode
from meltwatch.model.log import Evidence, SamplesRecord
from meltwatch.model.sample import batch_of
from meltwatch.transport.signature import digest
from tests.apps.core_node import NOW, ONE, TWO, Node
from tests.ledger.test_damage import spoil
from tests.telling import GATEWAY

SECONDS = 40


def frame(enterprise: EnterpriseId, second: int, value: float) -> tuple[SamplesRecord, bytes]:
    """Return a frame whose evidence fills a third of a page."""
    body = f"<{enterprise}#{second}>".encode().ljust(5_000, b".")
    record = SamplesRecord(
        received_at=NOW + second * 1000,
        source=GATEWAY,
        epoch=EpochId(f"1-{enterprise}"),
        seq=second,
        complete_from=(second - 1) * 1000,
        complete_to=second * 1000,
        samples=batch_of([(PointCode("t"), second * 1000, value, 0)]),
        evidence=Evidence(body=body, key="k", signature=""),
    )
    return record, digest(body)


def fill(node: Node) -> None:
    """Let both plants run; the first one is too hot in second 20 and still when it ends."""
    for second in range(1, SECONDS + 1):
        for plant in (ONE, TWO):
            hot = plant is ONE and second >= 20
            node.cores[plant.enterprise].take_samples(
                [frame(plant.enterprise, second, 61.0 if hot else 20.0)]
            )


def raised(core: Core) -> list[str]:
    told = [decode(one.data, Effect) for one in core.partition.effects(0, 1_000)]
    return [
        one.occurrence.condition
        for one in told
        if isinstance(one, AlarmEvent) and one.told.value == "raised"
    ]


def newest(data: Path) -> Path:
    """Return the log file that holds the frames."""
    return sorted((data / "ledger").glob("log-*.sqlite"))[-1]


def test_a_damaged_page_stops_neither_the_plant_nor_the_other(tmp_path: Path) -> None:
    node = Node(tmp_path)
    fill(node)
    node.home.close()
    spoil(newest(tmp_path), f"<{ONE.enterprise}#20>".encode())

    again = Node(tmp_path)
    one, two = again.cores[ONE.enterprise], again.cores[TWO.enterprise]
    found = found_in(again.home, again.cores.values())
    keys = {problem.key for problem in found}
    assert "ledger.entries_lost" in keys
    assert any("gateway/1-test-plant" in str(one.params.get("sources")) for one in found)
    # It was raised at second 20, and is raised now from the first frame that is left: the one that
    # was said before is named until a person has looked.
    (lost,) = [problem for problem in found if problem.key == "ledger.alarm_lost"]
    assert (lost.params["condition"], lost.params["raised"]) == ("t.H", 20_000)
    assert [one.condition for one in one.journey.state.board.occurrences.values() if one.active]
    for core in (one, two):
        assert core.take_samples([frame(core.enterprise, SECONDS + 1, 20.0)]) == [
            Appended(core.stream.end(core.enterprise))
        ]
    at_start = found_at_start(tmp_path / "ledger", again.home, again.cores.values())
    assert {one.key for one in at_start} <= {"ledger.file_unreadable", "ledger.positions_missing"}
    again.home.close()


def test_an_entry_that_does_not_fit_its_digest_is_passed_over_and_named(tmp_path: Path) -> None:
    node = Node(tmp_path)
    fill(node)
    node.home.close()
    path = newest(tmp_path)
    content = path.read_bytes()
    marker = f"<{TWO.enterprise}#33>".encode()
    path.write_bytes(content.replace(marker, marker.replace(b"33", b"34")))

    again = Node(tmp_path)
    found = found_in(again.home, again.cores.values())
    assert [(one.key, one.params["seq"]) for one in found] == [("ledger.entry_spoilt", 33)]
    assert raised(again.cores[ONE.enterprise]) == ["t.H"]
    seen = {latest.at for latest in again.feeds[TWO.enterprise].picture().values.values()}
    assert seen <= {SECONDS * 1000}
    again.home.close()


def test_the_check_names_a_damaged_place_and_finds_a_sound_ledger_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Node(tmp_path)
    fill(node)
    node.home.close()
    assert main(["check", "--data", str(tmp_path)]) == 0
    spoil(newest(tmp_path), f"<{ONE.enterprise}#20>".encode())
    assert main(["check", "--data", str(tmp_path)]) == 1
    assert f"{newest(tmp_path).name}: " in capsys.readouterr().out
    assert main(["check", "--data", str(tmp_path / "nothing")]) == 2


def test_a_sound_log_has_nothing_to_say(tmp_path: Path) -> None:
    node = Node(tmp_path)
    fill(node)
    node.home.close()
    again = Node(tmp_path)
    assert found_in(again.home, again.cores.values()) == []
    assert found_at_start(tmp_path / "ledger", again.home, again.cores.values()) == []
    again.home.close()
