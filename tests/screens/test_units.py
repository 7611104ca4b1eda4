"""What the screens do without a server: their types, and the tests that stand beside them."""

from __future__ import annotations

import subprocess

import pytest

from tests.architecture.house import ROOT
from tests.architecture.test_web import hook

WEB = ROOT / "web"
WITHIN_S = 170


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("node_modules/vue-tsc/bin/vue-tsc.js", ["--noEmit"]),
        ("node_modules/vitest/vitest.mjs", ["run"]),
    ],
    ids=["types", "tests"],
)
def test_the_screens_hold(program: str, arguments: list[str]) -> None:
    assert (WEB / program).exists(), "make install brings what the screens are built with"
    done = subprocess.run(
        [hook()._node(), program, *arguments],
        cwd=WEB,
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
