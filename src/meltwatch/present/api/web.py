"""What the routes work with, given to the app by assembly: the real things, or a test's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency

from meltwatch import __version__
from meltwatch.clock import Clock
from meltwatch.errors import Problem
from meltwatch.history.export import Format
from meltwatch.history.held import Held
from meltwatch.history.queries import Gaps
from meltwatch.ledger.span import Span
from meltwatch.model.ids import EnterpriseId, PointCode
from meltwatch.model.site import Site
from meltwatch.present.api.outbox import Outbox
from meltwatch.present.api.refusals import ApiRefused
from meltwatch.present.live.relay import Relay
from meltwatch.register.account import Account
from meltwatch.register.register import Register

SignedIn = Request[Account, str, State]
"""A request behind the guard: `user` is the account, `auth` the session's token."""


class TrendColumns(Protocol):
    """A point over a window in steps, columns of one length; None where there is no value."""

    @property
    def at(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def least(self) -> Sequence[float | None]: ...  # noqa: D102
    @property
    def most(self) -> Sequence[float | None]: ...  # noqa: D102
    @property
    def last(self) -> Sequence[float | None]: ...  # noqa: D102
    @property
    def blind(self) -> Sequence[tuple[int, int]]: ...  # noqa: D102


class Trends(Protocol):
    """Who answers what was; called in a thread. Instants are ms UTC."""

    def snapshot(self, enterprise: EnterpriseId, at: int, points: Sequence[PointCode]) -> Held:
        """Return what points held at an instant."""
        ...

    def gaps(
        self, enterprise: EnterpriseId, at_from: int, at_to: int, points: Sequence[PointCode]
    ) -> Gaps:
        """Return the gap map of a window, and where points were silent."""
        ...

    def export(
        self,
        enterprise: EnterpriseId,
        points: Sequence[PointCode],
        at_from: int,
        at_to: int,
        form: Format,
    ) -> Iterator[bytes]:
        """Yield the bytes of a file; nothing is read before the first are asked for."""
        ...

    def trend(
        self, enterprise: EnterpriseId, point: PointCode, at_from: int, at_to: int, width: int
    ) -> TrendColumns:
        """Return a point over `[at_from, at_to]`, thinned to at most `width` steps."""
        ...


class Numbers(Protocol):
    """Who answers what the ledger holds of a source's numbers; called in a thread."""

    def span(self, source: str, first: int, last: int) -> Span:
        """Return count and hash of the numbers from `first` to `last`, both included."""
        ...


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployer may say of web.

    `https`: people reach it over https (through a proxy): the cookie says so. Streams are bounded
    for each account and in all.
    """

    node: str
    https: bool = False
    beat_s: float = 2.0
    streams_an_account: int = 8
    streams: int = 500
    body_bytes: int = 65_536
    version: str = __version__


class Places:
    """The places for live streams: so many for each account, so many in all."""

    def __init__(self, each: int, most: int) -> None:
        """Begin with all free."""
        self.each, self.most = each, most
        self._taken: Counter[str] = Counter()

    def take(self, login: str) -> None:
        """Take a place; raises ApiRefused when there is none."""
        for taken, limit in ((self._taken[login], self.each), (self._taken.total(), self.most)):
            if taken >= limit:
                raise ApiRefused(429, Problem("", "stream.too_many", {"limit": limit}))
        self._taken[login] += 1

    def give_back(self, login: str) -> None:
        """Give a place back."""
        self._taken[login] -= 1
        self._taken += Counter()  # forgets who has none


@dataclass
class Web:
    """The things behind the routes."""

    register: Register
    relay: Relay
    outbox: Outbox
    trends: Trends
    numbers: Numbers
    sites: Mapping[EnterpriseId, Site]
    clock: Clock
    settings: Settings
    places: Places = field(init=False)
    hashing: anyio.CapacityLimiter = field(init=False)
    drawing: anyio.CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        """Make what bounds the work: hashes of passwords and trends are heavy."""
        self.places = Places(self.settings.streams_an_account, self.settings.streams)
        self.hashing = anyio.CapacityLimiter(2)
        self.drawing = anyio.CapacityLimiter(2)


GivenWeb = NamedDependency[Web]
"""How a route asks for it."""
