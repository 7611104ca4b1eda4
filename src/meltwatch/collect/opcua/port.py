"""What an OPC UA source is asked for, and what it gives: batches of rows, and reports for people.

Between the plant's configuration and the gateway that makes frames. Nothing here touches a socket.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec
from asyncua import ua
from asyncua.ua.uaerrors import UaError

from meltwatch.errors import Problem, Refused
from meltwatch.model.ids import PointCode
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.log import Interval
from meltwatch.model.sample import Row

logger = logging.getLogger(__name__)

_ABOVE_0 = (
    *("heartbeat_s", "publishing_ms", "queue", "request_s", "silence_s"),
    *("backoff_s", "backoff_most_s"),
)


class Scaling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A point's value is `raw * factor + offset`."""

    factor: float = 1.0
    offset: float = 0.0


class OpcUa(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server and the nodes that are read from it.

    `mapping`: the node of each point, as text (`ns=2;s=Well1.Flow`). `domain` as in `Source.clock`.
    `clock_node`: a node that a played source writes last in each instant; without one the
    source completes by the time of the server's messages less `settle_ms`.
    `least_stale_s`: the least `stale_s` of the points; `heartbeat_s` may be a third of it at most.
    `queue`: how many values the server is asked to keep for one item between two messages.
    `silence_s`: without any message for so long, the line is lost. `backoff_s` doubles with each
    vain attempt up to `backoff_most_s`; the wait is half to all of it.
    """

    endpoint: str
    mapping: dict[PointCode, str]
    scaling: dict[PointCode, Scaling] = {}
    domain: Literal["live", "recorded"] = "live"
    clock_node: str | None = None
    least_stale_s: float | None = None
    heartbeat_s: float = 3.0
    settle_ms: int = 1000
    publishing_ms: int = 100
    queue: int = 1000
    request_s: float = 4.0
    silence_s: float = 5.0
    backoff_s: float = 0.5
    backoff_most_s: float = 30.0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Rows, and the interval `(complete_from, complete_to]` for which no more will come.

    `gap`: a new run begins at `complete_from`, nothing joins it to what came before. `lost`:
    intervals whose data are lost for good, as in a frame. `originals`: by a row's place, the
    source time (ms UTC) that its `at` stands in for (`Quality.CLOCK`).
    """

    rows: tuple[Row, ...]
    complete_from: int
    complete_to: int
    gap: bool = False
    lost: tuple[Interval, ...] = ()
    originals: dict[int, int] = {}


Key = Literal["line", "node", "clock_node", "number", "stamp", "overflow", "behind"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people should know, told once when it begins and once when it is over.

    `line`: the server is not reached or silent. `node`, `clock_node`: the server refuses the
    node. `number`: the value is none. `stamp`: no source time where only that counts.
    `overflow`: the server dropped values. `behind`: a row came after its interval was complete,
    told once in a run.

    Their keys for people, `..._over` when it is over:

        opcua.line        [why]             opcua.line_over
        opcua.node        [node, status]    opcua.node_over
        opcua.clock_node  [node, status]    opcua.clock_node_over
        opcua.number      [type]            opcua.number_over
        opcua.stamp                         opcua.stamp_over
        opcua.overflow                      opcua.overflow_over
        opcua.behind      [first, ms]       opcua.behind_over
    """

    key: Key
    point: str = ""
    over: bool = False
    params: dict[str, str | int | float] = {}


Tell = Callable[[Report], None]


def log(report: Report) -> None:
    """Write a report to the log: what a source does when nobody else is told."""
    if report.over:
        logger.info("opcua %s %s: recovered", report.key, report.point)
    else:
        logger.warning("opcua %s %s: %s", report.key, report.point, report.params)


class Edges:
    """Makes reports of states: tells when one begins and when it is over, never in between."""

    def __init__(self, tell: Tell) -> None:
        """Tell `tell`."""
        self._tell = tell
        self._standing: set[tuple[Key, str]] = set()

    def begins(self, key: Key, point: str = "", **params: str | int | float) -> None:
        """Tell it, unless it stands already."""
        if (key, point) not in self._standing:
            self._standing.add((key, point))
            self._tell(Report(key=key, point=point, params=params))

    def is_over(self, key: Key, point: str = "") -> None:
        """Tell that it is over, if it stood."""
        if (key, point) in self._standing:
            self._standing.remove((key, point))
            self._tell(Report(key=key, point=point, over=True))


def check(asked: OpcUa) -> None:
    """Raise Refused with every problem of the configuration at once."""
    problems = list(_problems(asked))
    if problems:
        raise Refused(problems)


def _problems(asked: OpcUa) -> Iterator[Problem]:
    nodes = {f"mapping/{code}": told for code, told in asked.mapping.items()}
    if asked.clock_node is not None:
        nodes["clock_node"] = asked.clock_node
    for place, told in nodes.items():
        try:
            ua.NodeId.from_string(told)
        except UaError as error:
            yield Problem(place, "node_id_malformed", {"told": told, "why": str(error)})
    for code in asked.scaling.keys() - asked.mapping.keys():
        yield Problem(f"scaling/{code}", "unknown_point")
    if asked.domain == "recorded" and asked.clock_node is None:
        yield Problem("clock_node", "recorded_needs_clock_node")
    yield from _of_figures(asked)


def _of_figures(asked: OpcUa) -> Iterator[Problem]:
    stale = asked.least_stale_s
    if stale is not None and asked.heartbeat_s * 3 > stale:
        yield Problem("heartbeat_s", "heartbeat_too_slow", {"most_s": stale / 3})
    for name in _ABOVE_0:
        if not 0 < getattr(asked, name) < math.inf:
            yield Problem(name, "not_positive")
    for code, scale in asked.scaling.items():
        if not (math.isfinite(scale.factor) and math.isfinite(scale.offset)):
            yield Problem(f"scaling/{code}", "not_finite", {"value": f"{scale.factor:g}"})
    if asked.settle_ms < 0:
        yield Problem("settle_ms", "negative")
    if asked.silence_s * SECOND_MS <= 2 * max(asked.publishing_ms, SECOND_MS):
        yield Problem("silence_s", "shorter_than_two_keepalives")
