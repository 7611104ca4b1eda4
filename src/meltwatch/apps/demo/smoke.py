"""The demonstration without a person: what must be so while story 03 runs, and after it.

Every check asks from outside: the API as a person's browser would, and plain DuckDB over the
sealed segments against the simulators' own ledgers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import duckdb
import httpx
import msgspec

from meltwatch.apps.audit import verify
from meltwatch.apps.demo.stage import PLANTS, SignIn, Stage
from meltwatch.clock import Clock
from meltwatch.history.read import segment_paths

ALUMINIUM, STEEL = (plant.enterprise for plant in PLANTS)
RAISED = frozenset(
    f"well-1/{name}"
    for name in (
        "mould_flow.L",
        "mould_flow.LL",
        "mould_pressure.L",
        "mould_pressure.LL",
        "water_lost",
        "interlock.water",
    )
)
"""What story 03 raises at the well, and nothing else."""
WITHIN_S = 90.0
ASK_EVERY_S = 0.5
ORDERS = 3
"""What is ordered while it runs: to acknowledge, to verify, to handle."""
REQUEST_S = 10.0
SHORTEST_S = 20
"""A simulation that was compared over less has shown nothing."""


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: what, whether it held, and what was seen."""

    name: str
    held: bool
    seen: str


class Person:
    """Somebody with a browser."""

    def __init__(self, address: str, sign_in: SignIn) -> None:
        """Sign in; raises httpx.HTTPError."""
        self._client = httpx.Client(
            base_url=address, timeout=REQUEST_S, headers={"Meltwatch-Request": "1"}, trust_env=False
        )
        self.post("/api/session", login=sign_in.login, password=sign_in.password)

    def get(self, path: str) -> Any:
        """Return what a route answers."""
        return self._client.get(path).raise_for_status().json()

    def post(self, path: str, **told: str) -> int:
        """Ask for a change; return the status."""
        return self._client.post(path, json=told).raise_for_status().status_code

    def close(self) -> None:
        """Close the browser."""
        self._client.close()


def while_it_runs(stage: Stage, clock: Clock) -> list[Check]:
    """Watch story 03 turn the plant red, through the API, and begin its handling."""
    plant = Person(stage.address, stage.sign_ins[ALUMINIUM])
    officer = Person(stage.address, stage.sign_ins["county"])
    try:
        checks = list(_story(plant, clock))
        checks += _regulator(officer)
        return checks
    finally:
        plant.close()
        officer.close()


def _story(plant: Person, clock: Clock) -> Iterable[Check]:
    base = f"/api/plants/{ALUMINIUM}"

    def look() -> dict[str, Any]:
        found: dict[str, Any] = plant.get(f"{base}/picture")
        return found

    seen = _until(look, lambda one: {o["condition"] for o in one["occurrences"]} >= RAISED, clock)
    raised = {one["condition"]: one for one in seen["occurrences"]}
    yield Check("occurrences of story 03", set(raised) == RAISED, ", ".join(sorted(raised)))
    order = sorted(raised, key=lambda name: int(raised[name]["raised"]))
    yield Check("the interlock is the last of them", order[-1:] == ["well-1/interlock.water"], "")
    risk = seen["risk"] or {}
    reasons = [one["key"] for one in risk.get("contributions", ())]
    told = risk["contributions"][0]["text"][0] if reasons else ""
    yield Check(
        "red, because the interlock failed to act",
        risk.get("colour") == "red" and reasons[:1] == ["interlock_failed"],
        f"{risk.get('colour')}: {told}",
    )
    case = _case_of(seen, "well-1/interlock.water")
    yield Check("its case is open", case.get("progress") == "open", str(case.get("progress")))
    plant.post(f"{base}/occurrences/{raised['well-1/interlock.water']['id']}/acknowledge", why="")
    plant.post(f"{base}/cases/{case['id']}/verify", found="现场核实:紧急排放阀未打开")
    plant.post(f"{base}/cases/{case['id']}/handle", measure="手动打开紧急排放阀,停止浇铸")
    handled = _until(
        look,
        lambda one: _case_of(one, "well-1/interlock.water").get("progress") == "handled",
        clock,
    )
    progress = _case_of(handled, "well-1/interlock.water").get("progress")
    yield Check("acknowledged, verified, handled", progress == "handled", str(progress))
    colour = (handled["risk"] or {}).get("colour")
    yield Check("red until somebody closes the case", colour == "red", str(colour))


def _regulator(officer: Person) -> Iterable[Check]:
    plants = {one["enterprise"]: one for one in officer.get("/api/plants")}
    yield Check("the county sees both plants", set(plants) == {ALUMINIUM, STEEL}, str(len(plants)))
    colours = {name: (one["risk"] or {}).get("colour") for name, one in plants.items()}
    wanted = {ALUMINIUM: "red", STEEL: "blue"}
    yield Check("one red, one blue", colours == wanted, str(colours))
    marked = all(one["simulation"] for one in plants.values())
    yield Check("everything is marked as simulation", marked, "")


def after_it(stage: Stage) -> list[Check]:
    """Compare what each simulator says it told with what was sealed, row for row.

    And look whether both audit chains are sound and fit each other.
    """
    checks = [check for plant in PLANTS for check in _compare(stage, plant.enterprise)]
    verdict = verify(stage.data)
    rows = {chain.head.chain: chain.rows for chain in verdict.chains}
    sound = not verdict.problems and rows.get("core", 0) >= ORDERS <= rows.get("web", 0)
    told = ", ".join(f"{name} {count} rows" for name, count in sorted(rows.items()))
    return [*checks, Check("both audit chains are sound", sound, told)]


def _compare(stage: Stage, enterprise: str) -> Iterable[Check]:
    paths = [str(path) for path in segment_paths(stage.history(enterprise))]
    with duckdb.connect(config={"threads": 1}) as connection:
        told = _told(connection, stage.ledger(enterprise))
        sealed = connection.read_parquet(paths).filter("quality & 64 = 0")
        sealed = sealed.select('point, "at", "value", quality::INT AS quality')
        lost, more = told.except_(sealed), sealed.except_(told)
        rows, seconds = told.aggregate('count(*), count(DISTINCT "at")').fetchall()[0]
        differing = len(lost.fetchall()), len(more.fetchall())
    yield Check(
        f"{enterprise}: every row sealed, none more",
        differing == (0, 0) and seconds >= SHORTEST_S,
        f"{rows} rows in {seconds} s, {differing[0]} missing, {differing[1]} more",
    )


def _told(connection: duckdb.DuckDBPyConnection, ledger: Path) -> duckdb.DuckDBPyRelation:
    types = {"point": "VARCHAR", "at": "BIGINT", "value": "DOUBLE", "quality": "INT"}
    return connection.read_csv(str(ledger), header=True, dtype=types)


def _case_of(picture: dict[str, Any], condition: str) -> dict[str, Any]:
    return next((one for one in picture["cases"] if one["condition"] == condition), {})


def _until(
    look: Callable[[], dict[str, Any]], holds: Callable[[dict[str, Any]], bool], clock: Clock
) -> dict[str, Any]:
    """Return the first picture in which something holds, or the last one in time."""
    end = clock.monotonic_ms() + WITHIN_S * 1000
    while True:
        seen = look()
        if holds(seen) or clock.monotonic_ms() >= end:
            return seen
        time.sleep(ASK_EVERY_S)
