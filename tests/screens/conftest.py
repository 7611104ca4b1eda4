"""One demonstration and one Chromium for all tests of the screens."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import sleep

import pytest
from playwright.sync_api import Browser, sync_playwright

from meltwatch.apps.demo.stage import Stage
from meltwatch.clock import SystemClock
from tests.debian import ensure, how_to_get
from tests.durability.sender import free_port

CLOCK = SystemClock()
PACKAGES = ("chromium", "fonts-noto-cjk")
READY_S = 90.0


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = ensure("chromium", PACKAGES)
    if found is None:
        pytest.skip(f"chromium is {how_to_get(PACKAGES)}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        playwright.selectors.set_test_id_attribute("data-test")
        yield chromium
        chromium.close()


class Demo:
    """The demonstration as a process of its own, and what it was set up with."""

    def __init__(self, directory: Path) -> None:
        """Start it; `stage` waits until it is ready."""
        self.directory = directory
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "meltwatch.apps.cli", "demo"),
                *("--directory", str(directory), "--port", str(free_port()), "--calm", "20"),
            ],
            stdin=subprocess.DEVNULL,
        )

    def stage(self) -> Stage:
        """Return what it was set up with, once it is ready."""
        end = CLOCK.monotonic_ms() + READY_S * 1000
        while (found := Stage.kept(self.directory)) is None:
            assert self.process.poll() is None, f"ended with {self.process.returncode}"
            assert CLOCK.monotonic_ms() < end, f"not ready within {READY_S} s"
            sleep(0.2)
        return found

    def pid_of(self, name: str) -> int:
        """Return the process that runs a command of the demonstration."""
        told = f"meltwatch.apps.child\0{name}\0".encode()
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if told in line.read_bytes() and str(self.directory).encode() in line.read_bytes():
                    return int(line.parent.name)
        raise AssertionError(f"no process {name}")

    def end(self) -> int:
        """Ask it to end as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    assert browser.is_connected()  # without one there is nothing to show it in
    started = Demo(tmp_path_factory.mktemp("demo"))
    try:
        yield started
    finally:
        assert started.end() == 0
