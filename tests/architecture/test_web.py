"""The screens: what stands in `web/`, and what the installed package has of it."""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType

import msgspec

from meltwatch.present.api import shapes
from tests.architecture.house import PACKAGE, ROOT

WEB = ROOT / "web"
SCREENS = PACKAGE / "present" / "screens"
INTERFACE = re.compile(r"export interface (\w+) \{\n(.*?)\n\}", re.DOTALL)
MEMBER = re.compile(r"^  (\w+)\??:", re.MULTILINE)
INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|\son\w+=|javascript:", re.IGNORECASE)


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", WEB / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text("utf-8"))["packages"]
    assert len(packages) > 50
    assert [name for name, one in packages.items() if "resolved" in one] == []
    assert [name for name, one in packages.items() if name and "integrity" not in one] == []


def test_the_screens_know_the_shapes_of_the_api() -> None:
    """`web/src/api/shapes.ts` is written by hand: a member that only one side has is found here."""
    source = (WEB / "src" / "api" / "shapes.ts").read_text("utf-8")
    mirrored = {name: set(MEMBER.findall(body)) for name, body in INTERFACE.findall(source)}
    here = {
        name: {field.encode_name for field in msgspec.structs.fields(shape)}
        | ({"type"} if shape.__struct_config__.tag else set())
        for name in mirrored
        if (shape := getattr(shapes, name, None)) is not None
    }
    assert len(here) > 20
    assert {name: mirrored[name] for name in here} == here


def test_the_installed_screens_are_those_of_the_sources() -> None:
    stamp = SCREENS / "sources.sha256"
    assert stamp.exists(), "no screens: make install builds them"
    assert stamp.read_text("ascii") == hook().digest_of(WEB), "old screens: make install again"


def test_the_page_runs_no_inline_script() -> None:
    """What the content security policy would refuse does not get built."""
    page = (SCREENS / "index.html").read_text("utf-8")
    assert 'src="/assets/' in page
    assert INLINE.findall(page) == []


def test_no_screen_asks_another_server_for_anything() -> None:
    """No font, picture or script of elsewhere: a control room has no internet."""
    asked = re.compile(rb"""(?:url\(|src=|href=|import\(|fetch\()["'`]?https?://[^"'`)]*""")
    found = {
        path.name: asked.findall(path.read_bytes())
        for path in SCREENS.rglob("*")
        if path.suffix in {".html", ".css", ".js"}
    }
    assert found
    assert {name: places for name, places in found.items() if places} == {}
