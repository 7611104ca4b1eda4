"""The pure middle is arithmetic: it never awaits, logs, prints, or reads a clock or a file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.house import ROOT, pure_modules

FORBIDDEN_IMPORTS = {"asyncio", "logging", "os", "random", "socket", "sqlite3", "threading", "time"}
FORBIDDEN_CALLS = {"breakpoint", "input", "open", "print"}
CLOCKS = {"now", "today", "utcnow"}
AWAITS = (ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith, ast.Await)


@pytest.mark.parametrize("path", pure_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_of_the_pure_middle_touches_no_world(path: Path) -> None:
    assert list(touches(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("async def step(): ...", "1: awaits"),
        ("x = [one async for one in many]", "1: awaits"),
        ("import logging", "1: imports logging"),
        ("import os.path", "1: imports os"),
        ("from time import monotonic", "1: imports time"),
        ("print(1)", "1: calls print"),
        ("open('x')", "1: calls open"),
        ("datetime.now(UTC)", "1: reads a clock"),
        ("date.today()", "1: reads a clock"),
    ],
)
def test_what_touches_the_world_is_found(source: str, found: str) -> None:
    assert list(touches(source)) == [found]


def touches(source: str) -> Iterator[str]:
    """Yield where and how a module touches the world."""
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.comprehension(is_async=1, target=target):
                yield f"{target.lineno}: awaits"
            case ast.Import(names=names):
                yield from (f"{line}: imports {one}" for one in _roots(a.name for a in names))
            case ast.ImportFrom(module=str(module)):
                yield from (f"{line}: imports {one}" for one in _roots([module]))
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                yield f"{line}: calls {name}"
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
                yield f"{line}: reads a clock"
            case _ if isinstance(node, AWAITS):
                yield f"{line}: awaits"


def _roots(modules: Iterator[str] | list[str]) -> Iterator[str]:
    return (root for name in modules if (root := name.split(".")[0]) in FORBIDDEN_IMPORTS)
