"""The peers' programs as Debian builds them: found on this machine, or unpacked beside the bench.

Nothing is installed: a package that is missing is fetched by `apt-get download` and unpacked.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from meltwatch.apps.bench.verdict import BenchFailed

PACKAGES = {
    "prometheus": "prometheus",
    "victoria-metrics": "victoria-metrics",
    "vmalert": "victoria-metrics",
}
FETCH_S = 300.0


def program(name: str, directory: Path) -> str:
    """Return the path of a peer's program; raises BenchFailed, saying plainly why there is none."""
    found = shutil.which(name)
    if found is not None:
        return found
    place = directory / "packages" / PACKAGES[name]
    if not place.exists():
        _fetch(PACKAGES[name], place)
    for path in place.glob(f"root/usr/bin/{name}"):
        return str(path)
    raise BenchFailed(f"Debian's package {PACKAGES[name]} has no {name}")


def version(path: str) -> str:
    """Return what a program says that it is, in a few words."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    words = (said.stdout or said.stderr).split("\n", 1)[0].split()
    return " ".join(words[:3])[:60]


def _fetch(package: str, place: Path) -> None:
    place.mkdir(parents=True)
    try:
        _run(["apt-get", "download", "-qq", package], place)
        for archive in place.glob("*.deb"):
            _run(["dpkg", "-x", str(archive), str(place / "root")], place)
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchFailed(f"{package} is not here and cannot be fetched: {error}") from error


def _run(argv: list[str], place: Path) -> None:
    subprocess.run(argv, cwd=place, check=True, timeout=FETCH_S, capture_output=True)
