"""What the routes of history answer, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from meltwatch.history.errors import Damaged
from tests.present.api.plants import CAST, FLOW, NOW
from tests.present.api.stage import on_stage

pytestmark = pytest.mark.anyio
BASE = f"/api/plants/{CAST}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "register.db"


async def test_history_tells_values_gaps_and_files(path: Path) -> None:
    async with on_stage(path) as stage:
        browser = await stage.signed_in("safety")
        base, span = f"{BASE}/history", f"from={NOW - 1000}&to={NOW}"
        answer = await browser.ask("GET", f"{base}/snapshot?at={NOW}&point={FLOW}")
        assert answer.json == {"at": NOW, "values": {FLOW: [NOW, 2.5, 1]}}
        assert len((await browser.ask("GET", f"{base}/last")).json["values"]) == 1
        assert len(stage.trends.asked[-1][2]) > 1, "all of the plant's points"
        told = (await browser.ask("GET", f"{base}/gaps?{span}&point={FLOW}")).json
        assert told["sources"] == [
            {"source": "gw", "state": "lost", "begins": NOW - 1000, "ends": NOW}
        ]
        assert told["silent"] == {FLOW: [[NOW - 1000, NOW]]}
        sent = await browser.ask("GET", f"{base}/export?{span}&point={FLOW}&format=csv")
        assert (sent.status, sent.body) == (200, b"one\ntwo\n")
        assert stage.trends.asked[-1] == (CAST, (FLOW,), NOW - 1000, NOW, "csv")
        for wrong in (
            f"{base}/snapshot?at={NOW}&point=other",
            f"{base}/gaps?from={NOW}&to=0",
            f"{base}/export?{span}",
            f"{base}/export?{span}&point={FLOW}&format=xls",
            f"{base}/export?{span}" + f"&point={FLOW}" * 101,
        ):
            refused = await browser.ask("GET", wrong)
            assert refused.status == 400, wrong
            assert all(one["zh"] and one["en"] for one in refused.json["problems"])


async def test_a_history_that_cannot_be_read_is_never_an_empty_one(path: Path) -> None:
    def fail(*_: object) -> None:
        raise Damaged("segments/one.parquet", "gone")

    async with on_stage(path) as stage:
        stage.trends.snapshot = fail  # type: ignore[assignment,method-assign]
        browser = await stage.signed_in("safety")
        answer = await browser.ask("GET", f"{BASE}/history/last")
        assert (answer.status, answer.problem["key"]) == (503, "trend.unreadable")
