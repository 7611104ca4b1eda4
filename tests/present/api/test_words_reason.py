"""Every reason, contribution and step has a sentence in both languages, with names and units."""

from __future__ import annotations

import ast
import string
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

import meltwatch
from meltwatch.errors import Problem
from meltwatch.evaluate.reasons import _key
from meltwatch.handling.progress import Move
from meltwatch.model.condition import Condition
from meltwatch.model.reason import Params, Reason
from meltwatch.present.words_reason import CONTRIBUTION, LOWER, REASON, STEPS, Teller
from tests.present.api.plants import CAST, NOW, SITES, STEEL, plant

RISK = Path(meltwatch.__file__).parent / "risk"
TELLER = Teller(SITES[CAST], plant(CAST), NOW)
SECOND = NOW - 61_000
ANY: dict[str, Any] = {
    "level": 1,
    "point": "a",
    "of": ["a", "b"],
    "limit": 1.0,
    "in": [1],
    "window_s": 1.0,
    "band": 1.0,
    "on_delay_s": 1.0,
    "m": 1,
    "cause": "c",
    "effects": [],
    "within_s": 1.0,
}
"""A value for any field of any kind."""


def keys_of_reasons() -> set[str]:
    """Return the key of every kind of condition, of either side where it has sides."""
    return {_key(_some(kind, side)) for kind in get_args(Condition) for side in ("high", "low")}


def _some(kind: type[msgspec.Struct], side: str) -> Any:
    told = {name: one for name, one in ANY.items() if name in kind.__struct_encode_fields__}
    if "as" in kind.__struct_encode_fields__:
        told["as"] = side
    return msgspec.convert({"kind": kind.__struct_config__.tag, **told}, Condition)


def keys_in_risk(field: str) -> set[str]:
    """Return every key that the source of `risk/` gives to a field, f-strings spelled out."""
    found: set[str] = set()
    for path in RISK.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            for given in call.keywords if isinstance(call, ast.Call) else ():
                if given.arg == field and isinstance(given.value, ast.Constant):
                    found.add(str(given.value.value))
                if given.arg == field and isinstance(given.value, ast.JoinedStr):
                    end = given.value.values[-1]
                    assert isinstance(end, ast.Constant)
                    found |= {f"{one.value}{end.value!s}" for one in (Move.VERIFY, Move.HANDLE)}
    return found


def steps_in_risk() -> set[str]:
    return {
        key for key in keys_in_risk("lower_key") | keys_in_risk("key") if key not in CONTRIBUTION
    }


def test_the_source_is_read() -> None:
    assert {"interlock_failed", "critical_silent", "wait_for_hold"} <= keys_in_risk("key")
    assert {"verify_overdue_case", "restore_point"} <= keys_in_risk("lower_key")
    assert len(keys_of_reasons()) == 12


def test_every_key_that_the_pure_middle_can_tell_has_words() -> None:
    assert keys_of_reasons() == REASON.keys()
    assert steps_in_risk() == LOWER.keys()
    assert keys_in_risk("key") & CONTRIBUTION.keys() == CONTRIBUTION.keys()
    assert STEPS.keys() == {Move.VERIFY.value, Move.HANDLE.value}


@pytest.mark.parametrize("templates", [REASON, CONTRIBUTION, LOWER])
def test_both_languages_say_the_same_figures(templates: dict[str, tuple[str, str]]) -> None:
    for key, (chinese, english) in templates.items():
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(one) if name}
            for one in (chinese, english)
        ]
        assert fields[0] == fields[1], key
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in english), key


@pytest.mark.parametrize(
    ("key", "params", "chinese", "english"),
    [
        (
            "low",
            {"point": "well-1/mould_flow", "value": 86.25, "limit": 90.0, "since": SECOND},
            "1号井 结晶器进水流量 86.25 m³/h,降至低限 90 m³/h,自 23:05:39 起",
            "Well 1, Mould water flow 86.25 m³/h, at or below the limit 90 m³/h, since 23:05:39",
        ),
        (
            "silent",
            {"point": "well-2/mould_flow", "since": NOW - 86_400_000},
            "2号井 结晶器进水流量 断数,最后为 无数值,自 2025-06-14 23:06:40 起",
            (
                "Well 2, Mould water flow is silent, its last value no value, "
                "since 2025-06-14 23:06:40"
            ),
        ),
        (
            "state",
            {"point": "well-1/phase", "value": 3.0},
            "1号井 铸造阶段 为“铸造”",
            "Well 1, Phase is “casting”",
        ),
        (
            "rate_low",
            {"point": "well-1/mould_flow", "per_second": -3.5, "limit": -3.0},
            "1号井 结晶器进水流量 变化率 −3.5 m³/h/s,降至低限 −3 m³/h/s",
            "Well 1, Mould water flow changes by −3.5 m³/h/s, at or below the limit −3 m³/h/s",
        ),
        (
            "difference_high",
            {
                "first": "well-1/mould_flow",
                "second": "well-2/mould_flow",
                "first_value": 120.0,
                "second_value": 80.0,
                "limit": 30.0,
            },
            "1号井 结晶器进水流量 120 m³/h 减 2号井 结晶器进水流量 80 m³/h,达到高限 30 m³/h",
            (
                "Well 1, Mould water flow 120 m³/h less Well 2, Mould water flow 80 m³/h: "
                "at or above the limit 30 m³/h"
            ),
        ),
        (
            "interlock",
            {"cause": "well-1/mould_flow.LL", "missing": "well-1/drain_open", "within_s": 3.0},
            "“1号井 结晶器进水流量 低低”之后 3 秒内联锁动作未同时到位:1号井 紧急排放阀",
            (
                "The interlock did not act as a whole within 3 s of "
                "“Well 1, Mould water flow very low”: Well 1, Emergency drain"
            ),
        ),
        (
            "vote",
            {"true": "well-1/mould_flow.LL well-2/mould_flow.LL", "m": 2},
            "同时成立:1号井 结晶器进水流量 低低、2号井 结晶器进水流量 低低(达到 2 项)",
            (
                "True together: Well 1, Mould water flow very low, "
                "Well 2, Mould water flow very low (2 are enough)"
            ),
        ),
        ("of_tomorrow", {"point": "x"}, "of_tomorrow", "of_tomorrow"),
    ],
)
def test_a_reason_is_told_in_words(key: str, params: Params, chinese: str, english: str) -> None:
    told = TELLER.reason(Reason(key, params))
    assert (told.zh, told.en) == (chinese, english)


def test_a_step_names_what_to_restore_and_until_when_it_is_held() -> None:
    silent: Params = {"condition": "well-1/mould_flow.silent", "since": SECOND, "after_s": 300.0}
    assert TELLER.step("restore_point", silent).zh == "恢复数据:1号井 结晶器进水流量"
    offline: Params = {"condition": "well-1/gateway.offline"}
    assert TELLER.step("restore_point", offline).zh == "恢复数据:网关 gw-1"
    held: Params = {"condition": "well-1/interlock.water", "until": NOW + 60_000}
    assert TELLER.step("wait_for_hold", held).zh == (
        "原因已消除,颜色保持至 23:07:40:1号井 断水联锁拒动"
    )
    hazard: Params = {"hazard": "h-1", "article": "5(8)", "until": NOW}
    assert TELLER.step("wait_for_hold", hazard).zh.endswith("h-1")


def test_a_contribution_says_for_how_long() -> None:
    params: Params = {"condition": "well-1/mould_flow.silent", "since": SECOND, "after_s": 300.0}
    assert TELLER.contribution("critical_silent", params).en == (
        "Critical data have been away for more than 5 min (since 23:05:39): "
        "Well 1, Mould water flow silent"
    )


def test_where_there_is_one_unit_it_is_not_named() -> None:
    told = Teller(SITES[STEEL], plant(STEEL), NOW).named("well-1/mould_flow")
    assert told.zh == "结晶器进水流量"


def test_a_refusal_of_the_core_names_the_condition() -> None:
    problem = Problem("case", "still_raised", {"condition": "well-1/mould_flow.LL"})
    assert TELLER.problem(problem)[0].startswith("1号井 结晶器进水流量 低低 仍在报警")
