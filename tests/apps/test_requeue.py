"""Rows come out of quarantine once what kept them there is mended: once, audited, and marked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meltwatch.alarm.occurrence import AlarmEvent
from meltwatch.apps.cli import main
from meltwatch.apps.core import Core
from meltwatch.apps.core_order import record_stored
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.quarantine import KeptRow, line_of, quarantine
from meltwatch.apps.requeue import Asker, open_requeues, requeue
from meltwatch.apps.requeue_way import have_requeued
from meltwatch.apps.seal import feed
from meltwatch.audit.chain import Head, wrong_with
from meltwatch.history.read import read_rows
from meltwatch.history.sealer import Sealer
from meltwatch.journey import Effect, Journey, JourneyState, TooOld
from meltwatch.ledger.check import check
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import decode, encode
from meltwatch.model.ids import EpochId, PointCode
from meltwatch.model.log import ConfigRecord, Evidence, RequeuedRecord, SamplesRecord
from meltwatch.model.plant import Plant
from meltwatch.present.live.core_line import OrderRefused, Requeue
from meltwatch.transport.admit import admit
from meltwatch.transport.frame import Frame
from meltwatch.transport.frame import encode as body_of
from meltwatch.transport.points import book_of
from meltwatch.transport.signature import digest
from tests.apps.core_node import NOW, Node
from tests.apps.core_node import ONE as FORMER
from tests.telling import GATEWAY, plant_of

HIGH = {"kind": "high", "limit": 60}
MENDED = plant_of(
    {"t.H": {**HIGH, "point": "t"}, "u.H": {**HIGH, "point": "u"}}, offline_s=9_000_000
)
EPOCH = EpochId("0197bfa8b400-00000000000000aa")
ASKER = Asker(who="li", role="admin", node="county", origin="local", why="u is configured")
NAME = FORMER.enterprise


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "data")
    yield node
    node.home.close()


def send(core: Core, plant: Plant, second: int, *rows: list[Any]) -> None:
    """Take a frame as intake does, under the plant in force."""
    frame = Frame(
        gateway=GATEWAY,
        epoch=EPOCH,
        seq=second,
        mark="real",
        complete_from=(second - 1) * 1000,
        complete_to=second * 1000,
        rows=[["t", second * 1000, 20.0], *rows],
    )
    body = body_of(frame)
    admitted = admit(frame, book_of(plant, GATEWAY), NOW)
    record = SamplesRecord(
        received_at=NOW,
        source=GATEWAY,
        epoch=EPOCH,
        seq=second,
        complete_from=frame.complete_from,
        complete_to=frame.complete_to,
        samples=admitted.samples,
        evidence=Evidence(
            body=body,
            key="k",
            signature="",
            quarantined=tuple((one.row, one.key) for one in admitted.quarantined),
        ),
    )
    core.take_samples([(record, digest(body))])


def mend(core: Core, plant: Plant = MENDED) -> None:
    core.take_own(
        ConfigRecord(received_at=NOW + 60_000, plant=plant, risk_model=default_risk_model())
    )


def listed(node: Node) -> list[KeptRow]:
    return list(quarantine(node.data / "ledger", NAME))


def asked(node: Node) -> list[Requeue]:
    return open_requeues(node.data / "ledger", NAME, ASKER)


def occurrences(core: Core) -> list[tuple[str, int, int | None]]:
    told = [decode(one.data, Effect) for one in core.partition.effects(0, 1_000)]
    latest = {one.occurrence.id: one.occurrence for one in told if isinstance(one, AlarmEvent)}
    return [(one.condition, one.raised, one.returned) for one in latest.values()]


def trouble(node: Node) -> Core:
    """Let a plant run ten seconds in which `u`, which nobody knows, is too high from 3 to 7."""
    core = node.cores[NAME]
    for second in range(1, 11):
        value = 61.0 if 3 <= second < 7 else 20.0
        send(core, FORMER, second, ["u", second * 1000, value], ["nobody", second * 1000, 1.0])
    return core


def test_a_mended_point_s_rows_enter_again_and_are_said_to_be_older_than_the_plant(
    node: Node,
) -> None:
    """A plant judges from its own place in the log on: what is older is stored and said aloud."""
    core = trouble(node)
    assert {one.key for one in listed(node)} == {"row.unknown_point"}
    assert asked(node) == []
    mend(core)
    assert [one.passes for one in listed(node)] == [True, False] * 10
    orders = asked(node)
    assert [len(one.rows) for one in orders] == [1] * 10
    for one in orders:
        assert requeue(core, one, NOW + 70_000).rows == 1
    told = [decode(one.data, Effect) for one in core.partition.effects(0, 1_000)]
    late = [sample for one in told if isinstance(one, TooOld) for sample in one.samples]
    assert late == [("u", second * 1000) for second in range(1, 11)]
    assert occurrences(core) == []


def test_the_log_alone_tells_it_all_again(node: Node) -> None:
    core = trouble(node)
    mend(core)
    for one in asked(node):
        requeue(core, one, NOW + 70_000)
    said = [one.data for one in core.partition.effects(0, 1_000)]
    rows = node.home.audit(0, 100)
    journey = Journey.begin(NAME)
    log = [record_stored(one.data) for one in core.stream.read(NAME, 0, 1_000)]
    assert said == [encode(effect) for record in log for effect in journey.step(record)]
    deeds = [one.deed for one in rows if one.deed.action == "requeue"]
    assert len(deeds) == 10
    assert (deeds[0].who, deeds[0].why) == ("li", "u is configured")
    assert deeds[0].subject == f"{GATEWAY}/{EPOCH} 1"
    assert wrong_with(rows, Head("core"), node.home.audit_head()) == []
    assert check(node.data / "ledger") == []
    again = Core(node.home, NAME)  # a restart: the same state from the log
    as_read = decode(encode(core.journey.freeze()), JourneyState)  # numbers as a file keeps them
    assert encode(again.journey.freeze()) == encode(as_read)
    frames = [one for one in log if isinstance(one, RequeuedRecord)]
    assert all(one.complete_from == one.complete_to == 10_000 for one in frames)


def test_nothing_is_requeued_twice(node: Node) -> None:
    core = trouble(node)
    mend(core)
    orders = asked(node)
    for one in orders:
        requeue(core, one, NOW + 70_000)
    before = core.stream.end(NAME)
    assert asked(node) == []
    for one in orders:
        with pytest.raises(OrderRefused, match=r"requeue\.overtaken"):
            requeue(core, one, NOW + 71_000)
    assert core.stream.end(NAME) == before
    marked = [one for one in listed(node) if one.requeued_at is not None]
    assert [one.requeued_at for one in marked] == [NOW + 70_000] * 10
    assert "已于" in line_of(marked[0])
    assert "requeued" in line_of(marked[0])


def test_what_is_mended_later_follows_in_another_round(node: Node) -> None:
    core = trouble(node)
    mend(core)
    for one in asked(node):
        requeue(core, one, NOW + 70_000)
    both = plant_of(
        {f"{name}.H": {**HIGH, "point": name} for name in ("t", "u", "nobody")},
        offline_s=9_000_000,
    )
    mend(core, both)
    orders = asked(node)
    assert [(one.rows, one.round) for one in orders] == [((2,), 1)] * 10
    for one in orders:
        requeue(core, one, NOW + 80_000)
    assert all(one.requeued_at is not None for one in listed(node))
    epochs = {
        record.epoch
        for one in core.stream.read(NAME, 0, 1_000)
        if isinstance(record := record_stored(one.data), RequeuedRecord)
    }
    assert epochs == {f"{EPOCH}+", f"{EPOCH}++"}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"rows": (2,)}, "row.unknown_point"),
        ({"rows": (0,)}, "requeue.not_in_quarantine"),
        ({"rows": ()}, "requeue.not_in_quarantine"),
        ({"rows": (1, 1)}, "requeue.not_in_quarantine"),
        ({"frame": 10_000}, "requeue.frame_gone"),
        ({"frame": 1}, "requeue.frame_gone"),
    ],
)
def test_what_may_not_enter_is_refused_and_leaves_nothing(
    node: Node, change: dict[str, Any], key: str
) -> None:
    core = trouble(node)
    mend(core)
    wrong = msgspec.structs.replace(asked(node)[0], **change)
    before = core.stream.end(NAME)
    with pytest.raises(OrderRefused, match=key):
        requeue(core, wrong, NOW)
    assert core.stream.end(NAME) == before
    assert node.home.audit_head().number == 0


def test_an_instant_that_was_ahead_is_not_right_because_time_has_passed(node: Node) -> None:
    core = node.cores[NAME]
    send(core, FORMER, 1, ["t", NOW + 60_000, 20.0])
    mend(core)
    (row,) = listed(node)
    assert (row.key, row.passes) == ("row.at_ahead", False)
    assert row.params == {"ahead_ms": 60_000, "limit_ms": 5_000}


def test_each_reason_has_its_own_figures(node: Node) -> None:
    core = node.cores[NAME]
    plant = msgspec.structs.replace(
        FORMER,
        points={
            **FORMER.points,
            PointCode("w"): msgspec.structs.replace(FORMER.points[PointCode("t")], unit="mm"),
        },
    )
    mend(core, plant)
    send(
        core,
        plant,
        1,
        ["w", 1000, 1.0, None, "cm"],
        ["w", "then", 1.0],
        ["w", 1000, "much"],
        ["w", 1000, 1.0, 1 << 14],
        ["who", 1000, 1.0],
    )
    told = [line_of(one).split(": ", 1)[1] for one in listed(node)]
    assert told[0].startswith("单位 cm 与测点单位 mm 不符 / The unit cm is not the point's, mm")
    assert told[1].startswith("时刻应为毫秒整数(UTC),收到 then / ")
    assert told[2].startswith("值应为数字,收到 much / ")
    assert told[3].startswith("质量位 16384 未知 / ")
    assert told[4].startswith("测点 who 未登记 / ")


def test_the_running_core_does_it_over_its_socket(node: Node) -> None:
    core = trouble(node)
    mend(core)
    orders = asked(node)

    async def scene() -> tuple[int, Any]:
        async with node.serving(), asyncio.timeout(20):
            return await asyncio.to_thread(have_requeued, node.data, NAME, [*orders, orders[0]])

    done, refused = asyncio.run(scene())
    assert done == 10
    assert [(frame, problem.key) for frame, problem in refused] == [
        (orders[0].frame, "requeue.overtaken")
    ]


def test_without_a_core_the_command_does_it_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Node(tmp_path / "data")
    mend(trouble(node))
    node.home.close()
    given = ["requeue", "--data", str(node.data), "--enterprise", NAME]
    by = ["--who", "li", "--why", "u is configured"]
    assert main([*given, *by, "--look"]) == 0
    assert "10 行" in capsys.readouterr().out
    assert main([*given, *by]) == 0
    assert "10 行已重新入列" in capsys.readouterr().out
    assert main([*given, *by]) == 0
    assert "0 行已重新入列" in capsys.readouterr().out
    with closing(EmbeddedHome(node.data / "ledger")) as home:
        assert [one.deed.action for one in home.audit(0, 100)] == ["requeue"] * 10


def test_history_gets_them_as_late_rows(node: Node, tmp_path: Path) -> None:
    core = trouble(node)
    with closing(Sealer(tmp_path / "history", NAME)) as sealer:
        after, _ = feed(core.stream, sealer, NAME, 0)
        sealer.seal(NOW)
        mend(core)
        for one in asked(node):
            requeue(core, one, NOW + 70_000)
        feed(core.stream, sealer, NAME, after)
        assert sealer.seal(NOW)
    rows = read_rows(tmp_path / "history")
    named = [rows.points[place] for place in rows.point.tolist()]
    assert (named.count("t"), named.count("u")) == (10, 10)
