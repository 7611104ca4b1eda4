"""The web process: sign-in, API, screens and streams; orders on their way to the core."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from pathlib import Path

import uvicorn

import meltwatch.present
from meltwatch.apps.account import REGISTER
from meltwatch.apps.core_process import Beside, bound
from meltwatch.apps.node import Node, NodeRefused
from meltwatch.apps.seal import HISTORY, LEDGER
from meltwatch.apps.signals import signalled
from meltwatch.clock import Clock, SystemClock
from meltwatch.errors import Problem
from meltwatch.history.export import Format
from meltwatch.history.held import Held, nothing_held
from meltwatch.history.queries import Gaps, History
from meltwatch.history.trend import TrendColumns, Window
from meltwatch.ledger.reading import EmbeddedReader
from meltwatch.ledger.span import Span
from meltwatch.model.ids import EnterpriseId, PointCode
from meltwatch.model.reason import Params
from meltwatch.present.api.app import make_app
from meltwatch.present.api.outbox import Outbox
from meltwatch.present.api.web import Settings, Web
from meltwatch.present.live.line import SocketLine
from meltwatch.present.live.relay import Relay
from meltwatch.register.errors import RegisterUnavailable
from meltwatch.register.register import Register

SCREENS = Path(meltwatch.present.__file__).parent / "screens"
GRACE_S = 2
EMPTY = TrendColumns(at=(), least=(), most=(), last=(), blind=())


class HistoryTrends:
    """What was, of a data directory: what is sealed, and what the ledger holds behind it."""

    def __init__(self, data: Path, node: Node, clock: Clock) -> None:
        """Read beside core and sealer; the ledger may not be there yet."""
        self.data, self.node, self.clock = data, node, clock

    def trend(
        self, enterprise: EnterpriseId, point: PointCode, at_from: int, at_to: int, width: int
    ) -> TrendColumns:
        """Return a point over `[at_from, at_to]`, thinned to at most `width` steps."""
        window = Window(
            at_from=at_from,
            at_to=at_to,
            width=width,
            stale_ms=self.node.plants[enterprise].points[point].stale_ms,
            now=self.clock.wall_ms(),
        )
        with self._history(enterprise) as history:
            return history.window({point: window.stale_ms}, window)[point] if history else EMPTY

    def snapshot(self, enterprise: EnterpriseId, at: int, points: Sequence[PointCode]) -> Held:
        """Return what points held at an instant."""
        with self._history(enterprise) as history:
            return history.snapshot(at, points) if history else nothing_held()

    def gaps(
        self, enterprise: EnterpriseId, at_from: int, at_to: int, points: Sequence[PointCode]
    ) -> Gaps:
        """Return the gap map of a window."""
        plant = self.node.plants[enterprise]
        stale = {point: plant.points[point].stale_ms for point in points}
        with self._history(enterprise) as history:
            if history is None:
                return Gaps(sources=(), silent={})
            return history.gaps((at_from, at_to), plant.sources, stale)

    def export(
        self,
        enterprise: EnterpriseId,
        points: Sequence[PointCode],
        at_from: int,
        at_to: int,
        form: Format,
    ) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        with self._history(enterprise) as history:
            if history is not None:
                yield from history.export(points, (at_from, at_to), form)

    @contextmanager
    def _history(self, enterprise: EnterpriseId) -> Iterator[History | None]:
        """Open an enterprise's history; None before the core has made a ledger."""
        if not (self.data / LEDGER).is_dir():
            yield None
            return
        with closing(EmbeddedReader(self.data / LEDGER)) as reader:
            yield History(self.data / HISTORY / enterprise, reader, enterprise)


class LedgerNumbers:
    """What a ledger holds of a source's numbers, read beside the core."""

    def __init__(self, ledger: Path) -> None:
        """Read a ledger that may not be there yet."""
        self._ledger = ledger

    def span(self, source: str, first: int, last: int) -> Span:
        """Return count and hash of the numbers from `first` to `last`; raises LedgerError."""
        with closing(EmbeddedReader(self._ledger)) as reader:
            return reader.span(source, first, last)


def run_web(node: Node, data: Path, *, host: str, port: int, behind_https: bool = False) -> None:
    """Serve people until SIGINT or SIGTERM.

    `behind_https`: people come through a proxy on this machine that speaks https: the cookie is
    sent over https only, and the proxy is believed where a person comes from. Raises NodeRefused
    for what an operator can mend: a port in use, a damaged register.
    """
    with ExitStack() as opened:
        place = opened.enter_context(bound(host, port))
        try:
            register = Register.open(data / REGISTER, node.name)
        except RegisterUnavailable as error:
            told: Params = {"reason": str(error)}
            raise NodeRefused(
                [Problem(str(data / REGISTER), "register.unavailable", told)]
            ) from error
        opened.callback(register.close)
        asyncio.run(_serve(node, data, register, place, behind_https=behind_https))


async def _serve(
    node: Node, data: Path, register: Register, place: socket.socket, *, behind_https: bool
) -> None:
    clock = SystemClock()
    async with AsyncExitStack() as opened:
        line = await opened.enter_async_context(SocketLine(data))
        relay = Relay(line, node.sites, clock)
        outbox = Outbox(register, line, clock)
        web = Web(
            register=register,
            relay=relay,
            outbox=outbox,
            trends=HistoryTrends(data, node, clock),
            numbers=LedgerNumbers(data / LEDGER),
            sites=node.sites,
            clock=clock,
            settings=Settings(node=node.name, https=behind_https),
        )
        server = Beside(
            uvicorn.Config(
                make_app(web, SCREENS),
                log_level="warning",
                proxy_headers=behind_https,  # else anybody could say where they come from
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        stop = asyncio.Event()
        with signalled(stop):
            tasks = [asyncio.create_task(one) for one in (relay.run(), outbox.run())]
            serving = asyncio.create_task(server.serve(sockets=[place]))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({serving, stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            relay.end()
            server.should_exit = True
            await serving
            for task in (*tasks, stopping):
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for one in ended:
                if isinstance(one, Exception):
                    raise one
