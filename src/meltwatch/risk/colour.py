"""The assessment: the colour, its contributions, what would lower it, and when it may fall.

Raised at once; lowered only when the cause has gone and the model's hold has passed. Without data
the plant is unassessed; a floor that stands is still shown, since what is known to be bad does
not become unknown with the line.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from meltwatch.model.reason import Params
from meltwatch.model.risk_model import Colour, RiskModel
from meltwatch.risk.causes import Cause


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for the colour. `held_until` None: the cause stands; else it is only held."""

    key: str
    colour: Colour
    since: int
    params: Params
    held_until: int | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something that would lower the colour, and to which colour at the earliest."""

    key: str
    params: Params


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The colour at an instant, with all that it came from.

    `colour` None: unassessed, with no floor. `unassessed`: data are missing, whatever the floor.
    Contributions gravest first; `lower` in the order in which the steps take effect.
    """

    colour: Colour | None
    unassessed: bool
    contributions: tuple[Contribution, ...]
    lower: tuple[Step, ...]
    model: str
    model_version: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A cause that counted, and until when it is held after it has gone (None: it stands)."""

    cause: Cause
    until: int | None


class RiskState(msgspec.Struct):
    """What assessing keeps: the causes that count or are held, by id, and the last assessment."""

    held: dict[str, Held] = {}
    latest: Assessment | None = None


class RiskEvent(msgspec.Struct, frozen=True, kw_only=True, tag="risk"):
    """The assessment has changed; `told_at` is the owner's clock."""

    told_at: int
    assessment: Assessment


def assess(
    model: RiskModel, state: RiskState, causes: Iterable[Cause], now: int, *, has_data: bool
) -> Assessment:
    """Return the assessment at `now` and note in `state` what is held.

    Same inputs, same result: nothing but the arguments counts.
    """
    counting = {cause.id: cause for cause in causes if cause.from_at <= now}
    held: dict[str, Held] = {name: Held(cause=one, until=None) for name, one in counting.items()}
    for name, old in state.held.items():
        until = now + model.hold_ms if old.until is None else old.until
        if name not in counting and now < until:
            held[name] = Held(cause=old.cause, until=until)
    state.held = held
    gravest = sorted(
        held.values(), key=lambda one: (-one.cause.colour, one.cause.from_at, one.cause.id)
    )
    contributions = tuple(_contribution(one) for one in gravest)
    colour = max((one.colour for one in contributions), default=None)
    if colour is None and has_data:
        colour = Colour.BLUE
    return Assessment(
        colour=colour,
        unassessed=not has_data,
        contributions=contributions,
        lower=_steps(gravest, has_data=has_data),
        model=model.id,
        model_version=model.version,
    )


def next_change(state: RiskState, causes: Iterable[Cause], now: int) -> int | None:
    """Return the next instant at which the assessment may change by itself; None if never."""
    coming = [cause.from_at for cause in causes if cause.from_at > now]
    coming += [one.until for one in state.held.values() if one.until is not None]
    return min((at for at in coming if at > now), default=None)


def _contribution(one: Held) -> Contribution:
    cause = one.cause
    return Contribution(
        key=cause.key,
        colour=cause.colour,
        since=cause.from_at,
        params=cause.params,
        held_until=one.until,
    )


def _steps(gravest: list[Held], *, has_data: bool) -> tuple[Step, ...]:
    """Return what would lower the colour: restore data, then the gravest causes first."""
    steps = [] if has_data else [Step(key="restore_data", params={})]
    for one in gravest:
        if one.until is None:
            steps.append(Step(key=one.cause.lower_key, params=one.cause.params))
        else:
            steps.append(Step(key="wait_for_hold", params={**one.cause.params, "until": one.until}))
    return tuple(steps)
