"""kill -9 of the whole core while gateways send: what was acknowledged is there, once, in order.

Ten kills while frames are being written and three while the core is still coming back. Afterwards
the ledger is read by its reader, and what was committed is compared with two journeys that nothing
disturbed: one over the log as it stands, one over the frames as they were made.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from meltwatch.alarm.occurrence import AlarmEvent
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.node import node_of
from meltwatch.apps.seal import LEDGER
from meltwatch.journey import Effect, Journey
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.port import Stored
from meltwatch.model.encoding import decode, encode
from meltwatch.model.encoding import record_of as stored_record
from meltwatch.model.ids import SourceId
from meltwatch.model.log import ConfigRecord, SamplesRecord
from meltwatch.model.plant import Plant
from tests.durability.plant import EPOCH, START, UNITS, body_of, record_of, write_node
from tests.durability.sender import UP_WITHIN_MS, CoreProcess, Gateway

KILLS = 10
KILLED_AGAIN_AFTER = {3, 6, 9}
"""After these the next core is killed too, before it is up."""
LAST_FRAMES = 20
PAGE = 1_000

Told = Counter[tuple[str, str, int, int | None, tuple[str, ...]]]


class Tally:
    """How many frames were acknowledged by all gateways together."""

    def __init__(self) -> None:
        self.taken = 0
        self._changed = threading.Condition()

    def one_more(self) -> None:
        with self._changed:
            self.taken += 1
            self._changed.notify_all()

    def wait_for(self, more: int, gateways: list[Gateway]) -> None:
        """Wait until so many more are acknowledged, or a gateway has given up."""
        with self._changed:
            wanted = self.taken + more
            self._changed.wait_for(
                lambda: self.taken >= wanted or any(one.failure for one in gateways),
                UP_WITHIN_MS / 1000,
            )
            assert self.taken >= wanted, [one.failure for one in gateways]


def test_ten_kills_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(20240808)
    node, data = write_node(tmp_path), tmp_path / "data"
    tally = Tally()
    with CoreProcess(node, data) as core:
        gateways = [Gateway(name, core.url, on_taken=tally.one_more) for name in UNITS]
        for gateway in gateways:
            gateway.start()
        for kill in range(1, KILLS + 1):
            tally.wait_for(chance.randint(10, 80), gateways)
            assert not core.ended_within(chance.uniform(0, 0.02)), core.said()
            core.kill()
            if kill in KILLED_AGAIN_AFTER:
                core.start()
                assert not core.ended_within(chance.uniform(0.1, 0.9)), core.said()
                core.kill()
            core.start_and_wait()
        tally.wait_for(LAST_FRAMES, gateways)
        acknowledged = {one.gateway: one.finish() for one in gateways}
        assert core.stop() == 0, core.said()
    assert sum(one.sent_again for one in gateways) >= KILLS / 2, "the kills met nothing in flight"

    (plant,) = node_of(node).plants.values()
    with closing(EmbeddedHome(data / LEDGER)) as home:
        log = list(_log(home, plant))
        effects = list(_effects(home, plant))
    records = [stored_record(one.data) for one in log]
    frames = [one for one in records if isinstance(one, SamplesRecord)]
    for name, last in acknowledged.items():
        seqs = [one.seq for one in log if one.source == f"{name}/{EPOCH}"]
        assert seqs == list(range(1, last + 1))
        bodies = [one.evidence.body for one in frames if one.source == name and one.evidence]
        assert bodies == [body_of(name, seq) for seq in seqs]
    assert sum(isinstance(one, ConfigRecord) for one in records) == 1

    folded = Journey.begin(plant.enterprise)
    assert effects == [encode(effect) for record in records for effect in folded.step(record)]
    undisturbed = _undisturbed(plant, acknowledged)
    assert len(undisturbed) > KILLS, "nothing happened in this plant"
    assert _told([decode(effect, Effect) for effect in effects]) == undisturbed
    print(  # noqa: T201  # the figures, for whoever runs it with -s
        f"{KILLS + len(KILLED_AGAIN_AFTER)} kills, {sum(acknowledged.values())} frames, "
        f"{sum(one.sent_again for one in gateways)} sent again, "
        f"{sum(one.found_taken for one in gateways)} of them stored before, "
        f"{len(effects)} effects, {sum(undisturbed.values())} alarm events"
    )


def test_asked_to_stop_the_core_closes_its_files(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tally = Tally()
    with CoreProcess(write_node(tmp_path), data) as core:
        gateway = Gateway(next(iter(UNITS)), core.url, on_taken=tally.one_more)
        gateway.start()
        tally.wait_for(5, [gateway])
        gateway.finish()
        assert core.stop() == 0, core.said()
    assert not core.said().count("Traceback"), core.said()
    assert not list((data / LEDGER).glob("*-wal")), "a file was left open"


def _log(home: EmbeddedHome, plant: Plant) -> Iterator[Stored]:
    after = 0
    while page := home.stream.read(plant.enterprise, after, PAGE):
        yield from page
        after = page[-1].pos


def _effects(home: EmbeddedHome, plant: Plant) -> Iterator[bytes]:
    partition, after = home.partition(plant.enterprise), 0
    while page := partition.effects(after, PAGE):
        yield from (one.data for one in page)
        after = page[-1].id


def _undisturbed(plant: Plant, acknowledged: dict[SourceId, int]) -> Told:
    """Return what the same frames come to in one journey that nothing disturbs."""
    journey = Journey.begin(plant.enterprise)
    risk_model = default_risk_model()
    now = START + 10**9
    effects = journey.step(ConfigRecord(received_at=now, plant=plant, risk_model=risk_model))
    for seq in range(1, max(acknowledged.values()) + 1):
        now += 1000
        for gateway in UNITS:
            if seq <= acknowledged[gateway]:
                effects += journey.step(record_of(gateway, seq, now))
    return _told(effects)


def _told(effects: list[Effect]) -> Told:
    """Return how often each thing was told of each occurrence; the owner's clock left out."""
    return Counter(
        (
            one.told.value,
            one.occurrence.id,
            one.occurrence.raised,
            one.occurrence.returned,
            one.occurrence.flags,
        )
        for one in effects
        if isinstance(one, AlarmEvent)
    )
