"""Whatever transport can say no with has words in both languages, with its figures in them."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

import meltwatch
from meltwatch.collect.opcua.port import Report
from meltwatch.errors import Problem
from meltwatch.present.words import ALL, words_of
from meltwatch.transport import errors

SOURCE = Path(meltwatch.__file__).parent
_ROOMS = "frame|row|session|outbox|gateway|opcua"
_LISTED = re.compile(rf"((?:{_ROOMS})\.[a-z_]+)(?: +\[([a-z_, ]+)\])?")


def listed() -> dict[str, set[str]]:
    """Return the keys of the lists in docstrings with their params."""
    text = f"{errors.__doc__}\n{Report.__doc__}"
    lines = [line for line in text.splitlines() if line.startswith("    ")]
    found = [one for line in lines for one in _LISTED.findall(line)]
    return {key: set(filter(None, params.split(", "))) for key, params in found}


def test_the_lists_are_read() -> None:
    assert len(listed()) > 40
    assert listed()["frame.complete_to_ahead"] == {"ahead_ms", "limit_ms"}


@pytest.mark.parametrize("key", sorted(listed()))
def test_a_listed_key_has_words_in_both_languages(key: str) -> None:
    params = listed()[key]
    chinese, english = words_of(Problem("", key, dict.fromkeys(params, "a figure")))
    assert key not in (chinese, english)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in english)
    for template in ALL[key]:
        used = {name for _, name, _, _ in string.Formatter().parse(template) if name}
        assert used <= params, f"{template} wants what {key} does not tell"


def keys_in_the_source() -> set[str]:
    """Return every key that the source gives to a `Problem` as it stands there."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(call, ast.Call)
                and getattr(call.func, "id", "") in {"Problem", "problem"}
                and len(call.args) > 1
                and isinstance(call.args[1], ast.Constant)
            ):
                found.add(str(call.args[1].value))
    return found


@pytest.mark.parametrize("key", sorted(keys_in_the_source()))
def test_a_key_in_the_source_has_words_in_both_languages(key: str) -> None:
    assert key in ALL


def test_no_words_are_left_of_a_key_that_is_gone() -> None:
    assert set(ALL) - set(listed()) - keys_in_the_source() == set()
