"""Reasons as sentences, in Chinese and English: why raised, why this colour, what would lower it.

The pure middle gives a key and figures; names, units and the plant's clock are put in here. A key
without a sentence is shown as it is, and a test fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import msgspec

from meltwatch.errors import Problem
from meltwatch.model.condition import Condition, Offline, Silent
from meltwatch.model.ids import ConditionId, PointCode, UnitId, bare
from meltwatch.model.plant import Plant
from meltwatch.model.reason import Params, Reason
from meltwatch.model.site import Site, Text
from meltwatch.present.words import words_of
from meltwatch.present.words_given import Words

REASON: dict[str, Words] = {
    "high": ("{point} {value},达到高限 {limit}", "{point} {value}, at or above the limit {limit}"),
    "low": ("{point} {value},降至低限 {limit}", "{point} {value}, at or below the limit {limit}"),
    "state": ("{point} 为“{value}”", "{point} is “{value}”"),
    "silent": ("{point} 断数,最后为 {value}", "{point} is silent, its last value {value}"),
    "stuck": (
        "{point} 停在 {value},变化不超过 {band}",
        "{point} stays at {value}, moving no more than {band}",
    ),
    "difference_high": (
        "{first} {first_value} 减 {second} {second_value},达到高限 {limit}",
        "{first} {first_value} less {second} {second_value}: at or above the limit {limit}",
    ),
    "difference_low": (
        "{first} {first_value} 减 {second} {second_value},降至低限 {limit}",
        "{first} {first_value} less {second} {second_value}: at or below the limit {limit}",
    ),
    "rate_high": (
        "{point} 变化率 {per_second},达到高限 {limit}",
        "{point} changes by {per_second}, at or above the limit {limit}",
    ),
    "rate_low": (
        "{point} 变化率 {per_second},降至低限 {limit}",
        "{point} changes by {per_second}, at or below the limit {limit}",
    ),
    "vote": (
        "同时成立:{true}(达到 {m} 项)",
        "True together: {true} ({m} are enough)",
    ),
    "interlock": (
        "“{cause}”之后 {within_s}内联锁动作未同时到位:{missing}",
        "The interlock did not act as a whole within {within_s} of “{cause}”: {missing}",
    ),
    "offline": ("网关断线,收不到数据", "The gateway's line is down, no data come"),
}

SINCE: Words = (",自 {since} 起", ", since {since}")

CONTRIBUTION: dict[str, Words] = {
    "interlock_failed": (
        "联锁拒动,处置单未消警:{condition}",
        "An interlock failed to act, its case is not closed: {condition}",
    ),
    "level1_overdue": (
        "1 级处置单超时未{step}:{condition}",
        "A level 1 case is overdue for {step}: {condition}",
    ),
    "critical_silent": (
        "关键数据中断超过 {after_s}(自 {since} 起):{condition}",
        "Critical data have been away for more than {after_s} (since {since}): {condition}",
    ),
    "confirmed_hazard": (
        "已确认的重大事故隐患未整改:{hazard}(应急管理部令第 10 号,{article})",
        "A confirmed major hidden hazard is open: {hazard} (order 10, {article})",
    ),
}

LOWER: dict[str, Words] = {
    "close_interlock_case": (
        "核实、处置并消警:{condition}",
        "Verify, handle and close the case: {condition}",
    ),
    "verify_overdue_case": ("立即核实:{condition}", "Verify on the spot now: {condition}"),
    "handle_overdue_case": ("立即处置:{condition}", "Handle now: {condition}"),
    "restore_point": ("恢复数据:{subject}", "Restore the data: {subject}"),
    "rectify_hazard": (
        "整改隐患并由人员确认:{hazard}",
        "Rectify the hazard and have it confirmed: {hazard}",
    ),
    "restore_data": (
        "恢复数据上传:数据不全时不予评估",
        "Restore the data: without them the plant is unassessed",
    ),
    "wait_for_hold": (
        "原因已消除,颜色保持至 {until}:{subject}",
        "The cause has gone, the colour is held until {until}: {subject}",
    ),
}

STEPS: dict[str, Words] = {"verify": ("核实", "verification"), "handle": ("处置", "handling")}
UNITS = {"m3/h": "m³/h", "degC": "°C"}
"""Units of measurement as people read them; any other is shown as configured."""
NONE: Words = ("无数值", "no value")
STATE = "state"
"""The `unit` of a point whose values are states in words."""
_CHINA = timezone(timedelta(hours=8))
_MINUTE_S, _LEAST_MINUTES_S = 60, 120

_PLACE_OF_VALUE = {"first_value": "first", "second_value": "second"}


class Teller:
    """Tells one enterprise's reasons as they are read at `now`, an instant of its owner's clock."""

    def __init__(self, site: Site, plant: Plant | None, now: int) -> None:
        """Tell with a site's names and a plant's units; without a plant, codes stay codes."""
        self.site, self.now = site, now
        self.conditions: Mapping[ConditionId, Condition] = {} if plant is None else plant.conditions
        self.points = {} if plant is None else plant.points

    def reason(self, reason: Reason) -> Text:
        """Return why an occurrence was raised."""
        told = self._filled(REASON, reason.key, reason.params)
        if "since" not in reason.params or reason.key not in REASON:
            return told
        since = self._filled({"since": SINCE}, "since", reason.params)
        return Text(told.zh + since.zh, told.en + since.en)

    def contribution(self, key: str, params: Params) -> Text:
        """Return why the colour is at least this."""
        return self._filled(CONTRIBUTION, key, params)

    def step(self, key: str, params: Params) -> Text:
        """Return what would lower the colour."""
        return self._filled(LOWER, key, params)

    def problem(self, problem: Problem) -> Words:
        """Return why the core refused, with names for the conditions that it speaks of."""
        if "condition" not in problem.params:
            return words_of(problem)
        name = self.named(str(problem.params["condition"]))
        chinese, english = (
            msgspec.structs.replace(problem, params={**problem.params, "condition": one})
            for one in (name.zh, name.en)
        )
        return words_of(chinese)[0], words_of(english)[1]

    def named(self, code: str) -> Text:
        """Return what people call a point or a condition, its unit before it if there are more."""
        name = self.site.named(bare(code))
        unit = self.site.units.get(UnitId(code.partition("/")[0]))
        if unit is None or len(self.site.units) < 2:
            return name
        return Text(f"{unit.name.zh} {name.zh}", f"{unit.name.en}, {name.en}")

    # inside

    def _filled(self, templates: Mapping[str, Words], key: str, params: Params) -> Text:
        if key not in templates:
            return Text(key, key)
        told = {name: self._told(name, key, params) for name in params}
        if "subject" not in told:
            told["subject"] = self._subject(params)
        chinese, english = templates[key]
        try:
            return Text(
                chinese.format_map(_Filling({name: one.zh for name, one in told.items()}, NONE[0])),
                english.format_map(_Filling({name: one.en for name, one in told.items()}, NONE[1])),
            )
        except (ValueError, IndexError):
            return Text(key, key)

    def _told(self, name: str, key: str, params: Params) -> Text:
        value = params[name]
        match name:
            case "condition" | "cause" | "point" | "first" | "second":
                return self.named(str(value))
            case "true" | "missing":
                return _listed([self.named(one) for one in str(value).split()])
            case "since" | "until":
                return _same(self.instant(int(value)))
            case "after_s" | "within_s":
                return duration(float(value))
            case "step":
                return Text(*STEPS.get(str(value), (str(value), str(value))))
            case "value" | "limit" | "band" | "per_second" | "first_value" | "second_value":
                of = params.get(_PLACE_OF_VALUE.get(name, "point"), params.get("first", ""))
                a_second = key.startswith("rate") and name != "value"
                return self._measured(PointCode(str(of)), float(value), a_second=a_second)
            case _:
                return _same(str(value))

    def _measured(self, point: PointCode, value: float, *, a_second: bool) -> Text:
        """Return a value with its unit, or the word of a state."""
        known = self.points.get(point)
        if known is None:
            return _same(figure(value))
        if known.states and value in known.states:
            return self.site.named(known.states[int(value)])
        unit = "" if known.unit == STATE else UNITS.get(known.unit, known.unit)
        if a_second:
            unit = f"{unit}/s"
        return _same(f"{figure(value)} {unit}".rstrip())

    def _subject(self, params: Params) -> Text:
        """Return what a step is about: a point or gateway that is away, a condition, a hazard."""
        name = str(params.get("condition", ""))
        match self.conditions.get(ConditionId(name)):
            case Silent(point=point):
                return self.named(point)
            case Offline(source=source) if source is not None:
                return Text(f"网关 {source}", f"gateway {source}")
        return self.named(name) if name else _same(str(params.get("hazard", "")))

    def instant(self, at: int) -> str:
        """Return an instant as China's clock shows it: the time, and the date if another day's."""
        when, today = _local(at), _local(self.now)
        told = f"{when:%H:%M:%S}"
        return told if when.date() == today.date() else f"{when:%Y-%m-%d} {told}"


class _Filling(dict[str, str]):
    """Params of a template; what the reason does not tell is said to be missing."""

    def __init__(self, told: Mapping[str, str], missing: str) -> None:
        super().__init__(told)
        self.missing = missing

    def __missing__(self, key: str) -> str:
        return self.missing


def figure(value: float) -> str:
    """Return a number as people write it, at most six digits."""
    return f"{value:.6g}".replace("-", "\u2212")


def duration(seconds: float) -> Text:
    """Return a duration in seconds, or in minutes when it is whole ones."""
    if seconds >= _LEAST_MINUTES_S and seconds % _MINUTE_S == 0:
        minutes = figure(seconds / _MINUTE_S)
        return Text(f"{minutes} 分钟", f"{minutes} min")
    return Text(f"{figure(seconds)} 秒", f"{figure(seconds)} s")


def _same(told: str) -> Text:
    return Text(told, told)


def _listed(names: list[Text]) -> Text:
    return Text("、".join(one.zh for one in names), ", ".join(one.en for one in names))


def _local(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(_CHINA)
