"""A core with its intake and a real ledger behind it, asked over HTTP without a socket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import islice
from typing import Any

import httpx
import msgspec

from meltwatch.apps.core import Core
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.gathering import Gathering
from meltwatch.journey import Effect, Notice
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.model.encoding import decode, record_of
from meltwatch.model.ids import EpochId, SourceId
from meltwatch.model.log import ConfigRecord, SamplesRecord
from meltwatch.present.intake import Intake
from meltwatch.transport import lane
from meltwatch.transport.answer import event_of_frame
from meltwatch.transport.intake import KEY_HEADER, SENT_AT_HEADER, SIGNATURE_HEADER, Limits
from meltwatch.transport.signature import SharedSecret, sign
from tests.telling import plant_of

NOW = 1_750_000_000_000
GW, OTHER = SourceId("gateway"), SourceId("other")
KEYS = {
    "k1": SharedSecret(gateway=GW, secret=b"one"),
    "k2": SharedSecret(gateway=OTHER, secret=b"two"),
    "k3": SharedSecret(gateway=SourceId("gone"), secret=b"three"),
}
EPOCH = EpochId(f"{NOW:012x}-00000000000000aa")
PLANT = plant_of(
    {
        "t.H": {"kind": "high", "point": "t", "limit": 60},
        "u.H": {"kind": "high", "point": "u", "limit": 60},
    },
    source_of={"u": OTHER},
    offline_s=9_000_000,
)
AHEAD = NOW + 5_001
LIMITS = Limits(body_bytes=4_000, rows=50)
Json = dict[str, Any]


class Still:
    """A clock that stands."""

    def wall_ms(self) -> int:
        return NOW

    def monotonic_ms(self) -> int:
        return 1_000


class Node:
    """A core with its intake, asked over HTTP without a socket."""

    def __init__(self, home: EmbeddedHome, runner: asyncio.Runner) -> None:
        self.core = Core(home, PLANT.enterprise)
        config = ConfigRecord(received_at=NOW, plant=PLANT, risk_model=default_risk_model())
        self.core.take_own(config)
        self.gathering = Gathering({PLANT.enterprise: self.core}, Still())
        self._runner = runner
        self.intake = Intake(self.gathering, KEYS, Still().wall_ms, LIMITS)
        self._client = httpx.AsyncClient(
            base_url="http://node",
            transport=httpx.ASGITransport(self.intake, raise_app_exceptions=True),
        )
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = self._runner.get_loop().create_task(self.gathering.run())

    def ask(self, method: str, path: str, body: bytes = b"", **headers: Any) -> httpx.Response:
        """Ask, signed over `body`; `sent` goes in its place."""
        told = {KEY_HEADER: headers.get("key", "k1")}
        signature = sign(KEYS.get(told[KEY_HEADER], KEYS["k1"]), body or path.encode())
        told[SIGNATURE_HEADER] = headers.get("signature", signature)
        told["Content-Encoding"] = headers.get("encoding", "")
        told[SENT_AT_HEADER] = headers.get("sent_at", "")
        told = {name: value for name, value in told.items() if value}
        content = headers.get("sent") or body
        asked = self._client.request(method, path, content=content, headers=told)
        return self._runner.run(asked)

    def post(self, body: bytes, **headers: Any) -> httpx.Response:
        return self.ask("POST", "/v1/frames", body, **headers)

    def all_before_it_runs(self, bodies: list[bytes], refused: int) -> list[httpx.Response]:
        """Send frames to a node that is still busy; start it when so many are refused."""

        async def scene() -> list[httpx.Response]:
            asked = [asyncio.ensure_future(self._posted(one)) for one in bodies]
            async with asyncio.timeout(10):
                for ended in islice(asyncio.as_completed(asked), refused):
                    await ended
            self.start()
            return await asyncio.gather(*asked)

        return self._runner.run(scene())

    def last_seq(self) -> int:
        return self.core.stream.last_seq(f"{GW}/{EPOCH}")

    def frames(self) -> list[SamplesRecord]:
        log = [record_of(one.data) for one in self.core.stream.read(PLANT.enterprise, 0, 1_000)]
        return [one for one in log if isinstance(one, SamplesRecord)]

    def notices(self) -> list[Notice]:
        effects = [decode(one.data, Effect) for one in self.core.partition.effects(0, 1_000)]
        return [one for one in effects if isinstance(one, Notice)]

    def close(self) -> None:
        self._runner.run(self._end())

    async def _end(self) -> None:
        await self._client.aclose()
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def _posted(self, body: bytes) -> httpx.Response:
        headers = {KEY_HEADER: "k1", SIGNATURE_HEADER: sign(KEYS["k1"], body)}
        return await self._client.post("/v1/frames", content=body, headers=headers)


def frame(seq: int, *rows: Any, **other: Any) -> bytes:
    """Return the body of a frame; NaN and infinities as a careless sender writes them."""
    at = NOW - 600_000 + seq * 1_000
    told = {
        "v": 1,
        "gateway": GW,
        "epoch": EPOCH,
        "seq": seq,
        "mark": "real",
        "complete_from": at - 1_000,
        "complete_to": at,
        "rows": list(rows) or [["t", at, 50.0]],
    }
    text = msgspec.json.encode({**told, **other}).decode()
    for word in ("NaN", "-Infinity", "Infinity", "1e999"):
        text = text.replace(f'"{word}"', word)
    return text.encode()


def assert_taken(node: Node, seq: int) -> None:
    """The next good frame is taken, and the lane goes on."""
    response = node.post(frame(seq))
    assert response.status_code == 200, response.text
    told = response.json()
    assert told == {"accepted": 1, "quarantined": [], "last_seq": seq, "server_time": NOW}
    assert event_of_frame(200, response.content) == lane.Accepted(seq)
    assert [one.seq for one in node.frames() if one.source == GW] == list(range(1, seq + 1))


def assert_refused(response: httpx.Response, status: int, key: str) -> Json:
    """A problem document that a person can read in both languages."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told: Json = response.json()
    assert told["status"] == status
    assert told["type"] == f"urn:meltwatch:problem:{key}"
    assert told["problems"][0]["key"] == key
    for one in [{"zh": told["title_zh"], "en": told["title"]}, *told["problems"]]:
        assert any("\u4e00" <= letter <= "\u9fff" for letter in one["zh"]), one
        assert any("a" <= letter <= "z" for letter in one["en"]), one
        assert key not in (one["zh"], one["en"])
        assert "{" not in one["zh"] + one["en"], one
    return told
