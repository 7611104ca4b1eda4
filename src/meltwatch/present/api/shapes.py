"""What the API speaks: the shapes of requests and answers, in JSON.

Instants are ms UTC. `text` members hold both languages; a program reads `key` and `params`.
Colours are the notice's words; None with `unassessed` is 未评估, which is no colour.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from meltwatch.model.condition import Level, Side
from meltwatch.model.plant import Module
from meltwatch.model.reason import Params
from meltwatch.model.risk_model import ColourName
from meltwatch.model.site import Text
from meltwatch.register.account import Account

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Login = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


COOKIE = "meltwatch_session"
"""The cookie that carries the session's token."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What every shape is."""


# --- sign-in ---------------------------------------------------------------------------------


class SignIn(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants in."""

    login: Login
    password: Password


class Standing(Shape, frozen=True, kw_only=True):
    """Who is signed in, what is shown, and the node's clock."""

    account: Account
    simulation: bool
    now: int
    version: str


# --- risk ------------------------------------------------------------------------------------


class Contribution(Shape, frozen=True, kw_only=True):
    """One reason for the colour; `held_until`: its cause has gone, it is only held until then."""

    key: str
    params: Params
    text: Text
    colour: ColourName
    since: int
    held_until: int | None = None


class Step(Shape, frozen=True, kw_only=True):
    """Something that would lower the colour."""

    key: str
    params: Params
    text: Text


class Risk(Shape, frozen=True, kw_only=True):
    """The colour and all that it came from; `official` False: the model is the project's own.

    `since`: the earliest instant of the contributions that have this colour; None without any.
    """

    colour: ColourName | None
    unassessed: bool
    since: int | None
    contributions: tuple[Contribution, ...]
    lower: tuple[Step, ...]
    model: str
    model_version: int
    official: bool


# --- a plant's frame: what changes only with its configuration -----------------------------------


class Limit(Shape, frozen=True, kw_only=True):
    """A limit on a point's value, from a condition of kind high or low."""

    condition: str
    side: Side
    limit: float
    level: Level


class State(Shape, frozen=True, kw_only=True):
    """A value of a point that is a state, in words."""

    value: int
    text: Text


class Point(Shape, frozen=True, kw_only=True):
    """A measuring point. `stale_s` None: never stale. `states` empty: an analogue value."""

    code: str
    unit_id: str
    text: Text
    unit: str
    range: tuple[float, float] | None
    stale_s: float | None
    states: tuple[State, ...]
    limits: tuple[Limit, ...]
    source: str


class Condition(Shape, frozen=True, kw_only=True):
    """A condition: what it watches, its gate's point and values if it has one."""

    id: str
    unit_id: str
    text: Text
    kind: str
    level: Level
    points: tuple[str, ...]
    gate: str | None
    gate_values: tuple[float, ...]


class Unit(Shape, frozen=True, kw_only=True):
    """A unit of the plant."""

    id: str
    text: Text
    template: str


class Source(Shape, frozen=True, kw_only=True):
    """A gateway."""

    id: str
    offline_s: float
    clock: Literal["live", "recorded"]


class Plant(Shape, frozen=True, kw_only=True):
    """What a plant is made of."""

    enterprise: str
    text: Text
    module: Module
    region: str
    region_text: Text
    simulation: bool
    units: tuple[Unit, ...]
    points: tuple[Point, ...]
    conditions: tuple[Condition, ...]
    sources: tuple[Source, ...]


# --- what is so now ------------------------------------------------------------------------------


class Value(msgspec.Struct, frozen=True, array_like=True):
    """`[at, value, quality]`: value null: none to show; quality bits as in model/quality.py."""

    at: int
    value: float | None
    quality: int


class Line(Shape, frozen=True, kw_only=True):
    """A gateway's line: the end of its live run, when it was last heard, since when it is gone."""

    complete_to: int | None
    heard_at: int | None
    offline_since: int | None


class Occurrence(Shape, frozen=True, kw_only=True):
    """One raise of a condition, as it stands. `text`: why it was raised; None where unknown."""

    id: str
    condition: str
    level: Level
    raised: int
    returned: int | None
    flags: tuple[str, ...]
    visible_at: int
    standing: Literal[
        "unacknowledged", "acknowledged", "returned_unacknowledged", "normal", "withdrawn"
    ]
    graced: bool
    case: str | None
    key: str | None
    params: Params
    text: Text | None


class Deed(Shape, frozen=True, kw_only=True):
    """What a person, or the system (`by` empty), did at a case."""

    move: Literal["verify", "handle", "close", "reopen", "void"]
    by: str
    at: int
    words: str


class Case(Shape, frozen=True, kw_only=True):
    """处置单. `next`: what a person may do now, in the order of the notice's 核实 处置 消警.

    `text`: what its condition is called, with its unit where the plant has several.
    """

    id: str
    condition: str
    text: Text
    level: Level
    opened_at: int
    occurrences: tuple[str, ...]
    progress: Literal["open", "verified", "handled", "closed", "void"]
    deeds: tuple[Deed, ...]
    closed_at: int | None
    next: tuple[Literal["verify", "handle", "close"], ...]


class Picture(Shape, frozen=True, kw_only=True, tag="picture", tag_field="type"):
    """All that is so now at one plant; `number` is that of the last delta in it.

    `core_away_since`: since when web has not heard of the plant: this is what was so then.
    """

    enterprise: str
    number: int
    now: int
    values: dict[str, Value]
    lines: dict[str, Line]
    occurrences: tuple[Occurrence, ...]
    cases: tuple[Case, ...]
    risk: Risk | None
    core_away_since: int | None = None


class Delta(Shape, frozen=True, kw_only=True, tag="delta", tag_field="type"):
    """What has changed since `number - 1`; each named thing replaces the former one whole.

    `gone`: ids of occurrences and cases that leave the picture. A number that does not follow is
    a gap: the screen asks for a new picture.
    """

    enterprise: str
    number: int
    now: int
    values: dict[str, Value]
    lines: dict[str, Line]
    occurrences: tuple[Occurrence, ...]
    cases: tuple[Case, ...]
    gone: tuple[str, ...]
    risk: Risk | None


class Beat(Shape, frozen=True, kw_only=True, tag="beat", tag_field="type"):
    """Every 2 s, and at once when web loses or finds the core: the stream lives.

    `core_away_since`: web has lost the core, nothing is current.
    """

    now: int
    core_away_since: int | None = None


class Summary(Shape, frozen=True, kw_only=True, tag="summary", tag_field="type"):
    """A plant as a regulator sees it in a list, whole each time it changes.

    `worst`: the gravest open cases, at most 5, newest first within a level. `counts`: open cases
    by level 1 to 4. `risk` None: not assessed yet. `core_away_since`: since when web has not heard
    of the plant when this was made; on a stream the beats tell it from then on.
    """

    enterprise: str
    text: Text
    module: Module
    region: str
    region_text: Text
    simulation: bool
    now: int
    risk: Risk | None
    counts: tuple[int, int, int, int]
    unacknowledged: int
    offline: int
    worst: tuple[Case, ...]
    core_away_since: int | None = None


# --- trends --------------------------------------------------------------------------------------


class Trend(Shape, frozen=True, kw_only=True):
    """A point over a window, thinned to `width` steps without losing an extreme.

    Columns of one length, by step: `at` (the step's last instant), `least`, `most`, `last`;
    null where there is no good or uncertain value. `blind`: `[from, to]` in which nothing is known.
    """

    point: str
    at_from: int
    at_to: int
    at: tuple[int, ...]
    least: tuple[float | None, ...]
    most: tuple[float | None, ...]
    last: tuple[float | None, ...]
    blind: tuple[tuple[int, int], ...]


# --- orders --------------------------------------------------------------------------------------


class Acknowledge(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """确认: silence the horn, nothing else."""

    why: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class Verify(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """核实: what was found on the spot."""

    found: Words


class Handle(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """处置: what was done about it."""

    measure: Words


class Close(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """消警: the cause."""

    cause: Words


class Ordered(Shape, frozen=True, kw_only=True):
    """`done`: obeyed and logged. `pending`: stored at web, the core has not answered yet."""

    command: str
    state: Literal["done", "pending"]


# --- health --------------------------------------------------------------------------------------


class Health(Shape, frozen=True, kw_only=True):
    """Web answers; `core_away_since`: the core does not, since then. `orders_waiting`: for it.

    `findings`: how many things are wrong with the node itself; None while the core does not answer.
    """

    ok: bool
    now: int
    core_away_since: int | None
    orders_waiting: int
    findings: int | None


# --- refusals ------------------------------------------------------------------------------------


class Problem(Shape, frozen=True, kw_only=True):
    """One thing that is wrong: where, by which rule, and how to mend it, in both languages."""

    place: str
    key: str
    params: Params
    zh: str
    en: str


class Problems(Shape, frozen=True, kw_only=True):
    """problem+json (RFC 9457): the first problem is the title, all of them are listed."""

    type: str
    status: int
    title: str
    title_zh: str
    problems: tuple[Problem, ...]


class Findings(Shape, frozen=True, kw_only=True):
    """What is wrong with the node itself now; [] says that nothing is known to be."""

    now: int
    findings: tuple[Problem, ...]
