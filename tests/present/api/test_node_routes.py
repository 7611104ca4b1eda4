"""The routes about the node itself: what is wrong with it, and what its ledger holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import uvicorn

from meltwatch.apps.core_process import Beside, bound
from meltwatch.apps.reconcile import end_of
from meltwatch.errors import Problem, Refused
from meltwatch.ledger.errors import Unavailable
from meltwatch.ledger.span import Span
from meltwatch.model.reason import Params
from meltwatch.present.live.core_line import Found
from tests.ledger.telling import run
from tests.present.api.plants import CAST, GW
from tests.present.api.staff import PASSWORD
from tests.present.api.stage import on_stage

pytestmark = pytest.mark.anyio
BASE = f"/api/plants/{CAST}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "register.db"


async def test_what_is_wrong_with_the_node_is_told_with_words(path: Path) -> None:
    async with on_stage(path) as stage:
        params: Params = {"free_mib": 3, "floor_mib": 256, "after_s": 5}
        stage.line.found = Found((Problem("ledger", "frame.no_room", params),))
        assert (await stage.browser().ask("GET", "/healthz")).json["findings"] == 1
        browser = await stage.signed_in("ministry")
        (one,) = (await browser.ask("GET", "/api/findings")).json["findings"]
        assert "256 MiB" in one["zh"]
        assert "256" in one["en"]
        stage.line.away = True
        assert (await browser.ask("GET", "/api/findings")).status == 503
        assert (await stage.browser().ask("GET", "/healthz")).json["findings"] is None


async def test_numbers_are_told_by_count_and_hash(path: Path) -> None:
    async with on_stage(path) as stage:
        stage.numbers.stream.append(CAST, run(f"{GW}/e", 1, 9))
        browser = await stage.signed_in("county")
        asked = f"{BASE}/numbers?source={GW}/e&first=2&last=4"
        told = (await browser.ask("GET", asked)).json
        assert msgspec.convert(told, Span) == stage.numbers.stream.span(f"{GW}/e", 2, 4)
        for wrong in ("source=nobody/e&first=1&last=2", f"source={GW}/e&first=3&last=2"):
            assert (await browser.ask("GET", f"{BASE}/numbers?{wrong}")).status == 400
        stage.numbers.error = Unavailable("ledger", "away")
        assert (await browser.ask("GET", asked)).status == 503


async def test_whoever_reconciles_asks_over_the_real_line(path: Path) -> None:
    async with on_stage(path) as stage:
        stage.numbers.stream.append(CAST, run(f"{GW}/e", 1, 9))
        server = Beside(uvicorn.Config(stage.app, lifespan="off", log_level="critical"))
        with bound("127.0.0.1", 0) as place:
            serving = asyncio.create_task(server.serve([place]))
            url = f"http://127.0.0.1:{place.getsockname()[1]}"

            def ask() -> Span:
                with end_of(url, CAST, "county", PASSWORD) as end:
                    return end.span(f"{GW}/e", 1, 9)

            def ask_wrongly() -> None:
                with end_of(url, CAST, "county", "not the password"):
                    pass

            try:
                told = await asyncio.to_thread(ask)
                with pytest.raises(Refused, match=r"server_refuses"):
                    await asyncio.to_thread(ask_wrongly)
            finally:
                server.should_exit = True
                await serving
        assert told == stage.numbers.stream.span(f"{GW}/e", 1, 9)
