"""The rights table: who may ask what, as data; every route has its entry, or there is no app.

An account reaches over one enterprise, over a region and all below it, or, without either, over
the whole node if it is the ministry's or the node's administrator. What it does not reach answers
like what does not exist. An administrator sees, and orders nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import get_args

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from meltwatch.errors import Bug
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.site import Site
from meltwatch.register.account import Account, Role

ROLES: frozenset[Role] = frozenset(get_args(Role))
OVER_ALL: frozenset[Role] = frozenset({"ministry", "admin"})
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HEADER = "Meltwatch-Request"
"""What a request that changes something carries: another site's page cannot send it without asking
first, and nobody here says yes."""
AUTOMATIC = "OPTIONS"
"""The method that the framework adds to every route: nobody needs it here, the guard refuses it."""
_REGION_DIGITS = {2, 4, 6}
"""GB/T 2260: province, city, county."""


class Reach(Enum):
    """To whom a route is open."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    IN_SCOPE = "in scope"


class Right(msgspec.Struct, frozen=True):
    """Who may use a route: its reach, and in which roles."""

    reach: Reach
    roles: frozenset[Role] = ROLES


_ANYBODY = Right(Reach.PUBLIC)
_SIGNED_IN = Right(Reach.SIGNED_IN)
_SEES = Right(Reach.IN_SCOPE)
_HANDLES = Right(Reach.IN_SCOPE, frozenset({"shift", "safety"}))
_RUNS = Right(Reach.SIGNED_IN, OVER_ALL)
_CLOSES = Right(Reach.IN_SCOPE, frozenset({"safety"}))

PLANT = "/api/plants/{enterprise}"

TABLE: dict[tuple[str, str], Right] = {
    ("POST", "/api/session"): _ANYBODY,
    ("GET", "/api/session"): _SIGNED_IN,
    ("DELETE", "/api/session"): _SIGNED_IN,
    ("GET", "/api/plants"): _SIGNED_IN,  # those in scope
    ("GET", "/api/live"): _SIGNED_IN,  # those in scope
    ("GET", PLANT): _SEES,
    ("GET", f"{PLANT}/picture"): _SEES,
    ("GET", f"{PLANT}/trend"): _SEES,
    ("GET", f"{PLANT}/history/snapshot"): _SEES,
    ("GET", f"{PLANT}/history/last"): _SEES,
    ("GET", f"{PLANT}/history/gaps"): _SEES,
    ("GET", f"{PLANT}/history/export"): _SEES,
    ("GET", f"{PLANT}/live"): _SEES,
    ("GET", f"{PLANT}/numbers"): _SEES,
    ("POST", f"{PLANT}/occurrences/{{occurrence}}/acknowledge"): _HANDLES,
    ("POST", f"{PLANT}/cases/{{case}}/verify"): _HANDLES,
    ("POST", f"{PLANT}/cases/{{case}}/handle"): _HANDLES,
    ("POST", f"{PLANT}/cases/{{case}}/close"): _CLOSES,
    ("GET", "/api/openapi.json"): _ANYBODY,
    ("GET", "/api/findings"): _RUNS,
    ("GET", "/healthz"): _ANYBODY,
    ("GET", "/"): _ANYBODY,  # the screens
    ("GET", "/{path}"): _ANYBODY,
}


def reaches(account: Account, site: Site) -> bool:
    """Return whether a plant lies in the account's scope."""
    if account.enterprise is not None:
        return account.enterprise == site.enterprise
    if account.region is not None:
        return len(account.region) in _REGION_DIGITS and site.region.startswith(account.region)
    return account.role in OVER_ALL


def in_scope(account: Account, sites: Mapping[EnterpriseId, Site]) -> list[EnterpriseId]:
    """Return the plants in an account's scope, in the node's order."""
    return [name for name, site in sites.items() if reaches(account, site)]


def routes_of(app: Litestar) -> set[tuple[str, str]]:
    """Return every (method, path) of an app, but the methods that the framework adds.

    Raises Bug for a route that is not plain HTTP: the guard would not see it.
    """
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            raise Bug(f"{route.path} is no HTTP route: no guard stands before it")
        found |= {(method, route.path_format) for method in route.methods if method != AUTOMATIC}
    return found


def check_rights(app: Litestar) -> None:
    """Raise Bug for a route that has no entry in the table."""
    bare = sorted(routes_of(app) - TABLE.keys())
    if bare:
        raise Bug(f"routes without an entry in the rights table: {bare}")
