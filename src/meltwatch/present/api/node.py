"""The node itself: whether it answers, and what is wrong with it now."""

from __future__ import annotations

from litestar import get

from meltwatch.errors import Problem
from meltwatch.present.api.refusals import ApiRefused
from meltwatch.present.api.shapes import Findings, Health
from meltwatch.present.api.shapes import Problem as Shown
from meltwatch.present.api.web import GivenWeb
from meltwatch.present.live.core_line import CoreAway
from meltwatch.present.words import words_of

RETRY_S = 2


@get("/healthz")
async def health(web: GivenWeb) -> Health:
    """Tell that web answers, since when the core does not, and how much is wrong."""
    try:
        found = len((await web.outbox.line.findings()).problems)
    except CoreAway:
        found = None
    return Health(
        ok=True,
        now=web.clock.wall_ms(),
        core_away_since=web.relay.away_since,
        orders_waiting=web.outbox.waiting,
        findings=found,
    )


@get("/api/findings")
async def findings(web: GivenWeb) -> Findings:
    """Tell what is wrong with the node itself: its disk, its log; it is no alarm of a plant."""
    try:
        told = await web.outbox.line.findings()
    except CoreAway as away:
        problem = Problem("", "node.core_away")
        raise ApiRefused(503, problem, headers={"retry-after": str(RETRY_S)}) from away
    return Findings(now=web.clock.wall_ms(), findings=tuple(map(shown, told.problems)))


def shown(one: Problem) -> Shown:
    """Return a finding with its words."""
    chinese, english = words_of(one)
    return Shown(place=one.place, key=one.key, params=one.params, zh=chinese, en=english)
