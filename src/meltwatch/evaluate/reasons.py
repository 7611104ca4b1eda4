"""Why a condition is raised: what was seen at the raise, against which figures."""

from __future__ import annotations

from meltwatch.evaluate.judge import holds, slope
from meltwatch.evaluate.node import Node
from meltwatch.model.condition import (
    Condition,
    Difference,
    High,
    Interlock,
    Low,
    Rate,
    Silent,
    State,
    Stuck,
    Vote,
)
from meltwatch.model.reason import Params, Reason


def reason_of(condition: Condition, node: Node) -> Reason:
    """Return the reason of a raise now; the key is the kind's (`difference_high`, `low`, ...).

    `since`: the instant from which it held. Lists in `params` are joined by a blank.
    """
    params: Params = {} if node.since is None else {"since": node.since}
    held = [one.value for one in node.inputs]
    match condition:
        case High(point=point, limit=limit) | Low(point=point, limit=limit):
            params |= {"point": point, "limit": limit, **_value("value", held[0])}
        case State(point=point) | Silent(point=point):
            params |= {"point": point, **_value("value", held[0])}
        case Stuck(point=point, band=band):
            params |= {"point": point, "band": band, **_value("value", node.reference)}
        case Difference(of=(first, second), limit=limit):
            params |= {"first": first, "second": second, "limit": limit}
            params |= {**_value("first_value", held[0]), **_value("second_value", held[1])}
        case Rate(point=point, limit=limit):
            per_second = slope(condition, node.past) if node.past else None
            params |= {"point": point, "limit": limit, **_value("per_second", per_second)}
        case Vote(of=of, m=m):
            true = [name for name, one in zip(of, node.members, strict=True) if one.true]
            params |= {"true": " ".join(true), "m": m}
        case Interlock(cause=cause, effects=effects, within_s=within_s):
            missing = [
                effect.point
                for effect, seen in zip(effects, node.inputs, strict=False)
                if not holds(effect, seen)
            ]
            params |= {"cause": cause, "missing": " ".join(missing), "within_s": within_s}
        case _:
            pass
    return Reason(_key(condition), params)


def _key(condition: Condition) -> str:
    kind = type(condition).__name__.lower()
    return f"{kind}_{condition.side}" if isinstance(condition, Difference | Rate) else kind


def _value(name: str, value: float | None) -> Params:
    return {} if value is None else {name: value}
