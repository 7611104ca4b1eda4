"""The core process: the enterprises' ledger and journeys behind one HTTP port."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvicorn

from meltwatch.apps.core import Core
from meltwatch.apps.core_damage import found_at_start, found_in
from meltwatch.apps.core_socket import CoreSocket, listening
from meltwatch.apps.defaults import default_risk_model
from meltwatch.apps.disk import DiskCare, Doorkeeper
from meltwatch.apps.findings import Findings
from meltwatch.apps.gathering import Gathering
from meltwatch.apps.keeping import DEFAULT_KEEPING, Keeping
from meltwatch.apps.node import Node, NodeRefused
from meltwatch.apps.patience import Patient
from meltwatch.apps.retention import Retention
from meltwatch.apps.seal import HISTORY, LEDGER
from meltwatch.clock import Clock, SystemClock
from meltwatch.errors import Problem
from meltwatch.ledger.database import Sync, sync_directory
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.errors import Damaged, InUse, Unavailable, UnknownFormat
from meltwatch.ledger.port import gateway_epoch
from meltwatch.ledger.room import Room
from meltwatch.model.encoding import UnknownEncoding
from meltwatch.model.ids import EnterpriseId, SourceId
from meltwatch.model.log import ConfigRecord
from meltwatch.model.plant import Plant
from meltwatch.model.reason import Params
from meltwatch.present.intake import Intake
from meltwatch.present.live.feed import Feed
from meltwatch.present.live.wire import PRIVATE, socket_of
from meltwatch.transport.signature import Key

CLAIMED = "node.json"
LAST_ANSWERS_S = 10
"""How long requests in hand may take when the core is asked to end."""

Announce = Callable[[str], None]


class Claimed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a data directory holds of each gateway that ever was in it: whose its data are."""

    version: int = 1
    gateways: dict[SourceId, EnterpriseId] = {}


def run_core(
    node: Node,
    data: Path,
    *,
    host: str,
    port: int,
    sync: Sync = "full",
    keeping: Keeping = DEFAULT_KEEPING,
    announce: Announce = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM; then what was taken is written and the files are closed.

    `announce` is told the address once frames are taken there; port 0: any that is free. Raises
    NodeRefused for what an operator can mend: another core here, a port in use, a damaged file.
    """
    with ExitStack() as opened:
        with _mended_by_people(data):
            data.mkdir(PRIVATE, parents=True, exist_ok=True)
            room = room_of(data / LEDGER, keeping)
            home = EmbeddedHome(data / LEDGER, sync=sync)
            opened.callback(home.close)
            claim(data, node, home.stream.sources())
            intake = opened.enter_context(bound(host, port))
            local = opened.enter_context(listening(data))
            opened.callback(socket_of(data).unlink, missing_ok=True)
            clock = SystemClock()
            feeds = {one: Feed(one, clock.wall_ms) for one in node.plants}
            cores = {
                one: core_of(plant, home, clock, feeds[one]) for one, plant in node.plants.items()
            }
        address = f"http://{_shown(intake)}"
        findings = Findings()
        findings.tell("start", found_at_start(data / LEDGER, home, cores.values()))
        partitions = {name: core.partition for name, core in cores.items()}
        limits = keeping.limits(data / LEDGER)
        retention = Retention(home.stream, partitions, data / HISTORY, limits)
        care = DiskCare(
            *(home, room, findings, retention, clock),
            lambda: findings.tell("log", found_in(home, cores.values())),
        )
        parts = Parts(node.keys, cores, feeds, room, care, findings)
        asyncio.run(_serve(parts, intake, local, lambda: announce(address)))


def room_of(ledger: Path, keeping: Keeping) -> Room:
    """Return the room of a ledger, its directory made; on a full disk the reserve is given up.

    Raises Unavailable.
    """
    ledger.mkdir(parents=True, exist_ok=True)
    room = Room(ledger, keeping.bounds(ledger))
    room.look()
    return room


def core_of(plant: Plant, home: EmbeddedHome, clock: Clock, feed: Feed | None = None) -> Core:
    """Return the core of an enterprise, its plant configured as the node's file says."""
    core = Core(home, plant.enterprise, feed)
    risk_model = default_risk_model()
    state = core.journey.state
    if state.plant != plant or state.risk_model != risk_model:
        core.take_own(ConfigRecord(received_at=clock.wall_ms(), plant=plant, risk_model=risk_model))
    if feed is not None:
        for record in core.recent():
            feed.remember(record)
        feed.flush()
    return core


class Beside(uvicorn.Server):
    """Ends when it is told to: something beside it hears the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class _Server(uvicorn.Server):
    """Ends at a signal and leaves the rest to us.

    uvicorn's own raises the signal again once it has ended, which ends the process before what
    was taken is written and the files are closed.
    """

    on_up: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.on_up()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let the first signal end serving, and a second SIGINT not wait for open requests."""
        ours = (signal.SIGINT, signal.SIGTERM)
        former = {one: signal.signal(one, self.handle_exit) for one in ours}
        try:
            yield
        finally:
            for one, handler in former.items():
                signal.signal(one, handler)


def claim(data: Path, node: Node, stored: Iterable[str] = ()) -> None:
    """Make each gateway its enterprise's in this directory, once and for all.

    Numbers of frames are kept for the whole directory: under another enterprise a frame would be
    taken for known and acknowledged without being held. `stored`: the ledger's sources, asked for
    a directory of the first format. Raises NodeRefused for a gateway that has moved.
    """
    held = _held(data, stored)
    told = {
        gateway: enterprise
        for enterprise, plant in node.plants.items()
        for gateway in plant.sources
    }
    problems = [
        Problem(f"{data}: {gateway}", "gateway_moved", {"held": held[gateway], "told": enterprise})
        for gateway, enterprise in told.items()
        if held.get(gateway, enterprise) != enterprise
    ]
    if problems:
        raise NodeRefused(problems)
    path = data / CLAIMED
    if not path.exists() or not held.items() >= told.items():
        _write_durably(path, msgspec.json.encode(Claimed(gateways={**held, **told})))
    (data / "enterprise").unlink(missing_ok=True)


def _held(data: Path, stored: Iterable[str]) -> dict[SourceId, EnterpriseId]:
    """Return whose each gateway is; a directory of the first format names one enterprise."""
    path, former = data / CLAIMED, data / "enterprise"
    if path.exists():
        try:
            return msgspec.json.decode(path.read_bytes(), type=Claimed).gateways
        except msgspec.DecodeError as error:
            raise NodeRefused([Problem(str(path), "malformed", {"why": str(error)})]) from error
    if not former.exists():
        return {}
    enterprise = EnterpriseId(former.read_text(encoding="utf-8"))
    pairs = filter(None, map(gateway_epoch, stored))
    return {SourceId(gateway): enterprise for gateway, _ in pairs}


def _write_durably(path: Path, text: bytes) -> None:
    making = path.with_name(f"{path.name}.new")
    with making.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    making.rename(path)
    sync_directory(path.parent)


@contextmanager
def _mended_by_people(data: Path) -> Iterator[None]:
    """Refuse to start with words, where a person can mend what is wrong."""
    try:
        yield
    except InUse as error:
        raise NodeRefused([Problem(str(data), "ledger.in_use")]) from error
    except Damaged as error:
        told: Params = {"reason": error.reason}
        raise NodeRefused([Problem(error.place, "ledger.damaged", told)]) from error
    except UnknownFormat as error:
        versions: Params = {"found": error.found, "known": error.known}
        raise NodeRefused([Problem(error.place, "ledger.unknown_format", versions)]) from error
    except UnknownEncoding as error:
        encoding: Params = {"reason": str(error)}
        raise NodeRefused([Problem(str(data), "ledger.unknown_encoding", encoding)]) from error
    except Unavailable as error:
        why: Params = {"reason": error.reason}
        raise NodeRefused([Problem(error.place, "ledger.unavailable", why)]) from error
    except OSError as error:
        raise NodeRefused(
            [Problem(str(data), "ledger.unavailable", {"reason": str(error)})]
        ) from error


def bound(host: str, port: int) -> socket.socket:
    """Return a socket bound where gateways send; nobody is listened to yet."""
    place = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        # asyncio sends small answers at once only on a socket that names its protocol
        made = socket.socket(family, kind, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(address)
        except OSError:
            made.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise NodeRefused([Problem(place, "port_taken", {"port": port})]) from error
        raise NodeRefused([Problem(place, "address_unusable", {"why": str(error)})]) from error
    return made


def _shown(bound: socket.socket) -> str:
    host, port, *_ = bound.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Parts(NamedTuple):
    """What a core is assembled from."""

    keys: Mapping[str, Key]
    cores: Mapping[EnterpriseId, Core]
    feeds: Mapping[EnterpriseId, Feed]
    room: Room
    care: DiskCare
    findings: Findings


async def _serve(
    parts: Parts, intake: socket.socket, local: socket.socket, announce: Callable[[], None]
) -> None:
    """Take frames and orders until told to stop; what fails in the background ends it too."""
    clock = SystemClock()
    gathering = Gathering(parts.cores, clock)
    told = CoreSocket(gathering, parts.feeds, parts.findings)
    receiver = Doorkeeper(gathering, parts.room)
    main = _Server(_config(Intake(receiver, parts.keys, clock.wall_ms)))
    beside = Beside(_config(told))
    main.on_up = announce
    gathers = asyncio.create_task(gathering.run())
    background = [asyncio.create_task(feed.run()) for feed in parts.feeds.values()]
    background.append(asyncio.create_task(parts.care.run()))
    telling = asyncio.create_task(beside.serve([local]))
    for task in (gathers, telling, *background):
        task.add_done_callback(lambda _: setattr(main, "should_exit", True))
    await main.serve([intake])
    told.stop()
    beside.should_exit = True
    await telling
    gathering.stop()
    await gathers
    for task in background:
        task.cancel()
    for ended in await asyncio.gather(*background, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _config(application: Callable[..., Any]) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
        http=Patient,
    )
