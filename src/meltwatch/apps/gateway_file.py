"""A gateway's file, and the command that runs what it describes (`docs/gateway.md`).

    gateway: gw-1
    server: http://127.0.0.1:8701
    key: {id: k1, hmac_sm3: a long random text}
    outbox: gw-1.outbox
    opcua:
      endpoint: opc.tcp://127.0.0.1:4840
      mapping: {well-1/mould_flow: ns=2;s=Well1.Flow}

Paths are relative to the file. Every mistake is told before anything is started.
"""

from __future__ import annotations

import logging
import math
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec

from meltwatch.apps.gateway import Settings, run
from meltwatch.apps.node import LEAST_SECRET
from meltwatch.clock import Clock, SystemClock, life
from meltwatch.collect.given import read_given
from meltwatch.collect.opcua import OpcUa, OpcUaSource
from meltwatch.collect.opcua import Report as SourceReport
from meltwatch.collect.opcua.port import check
from meltwatch.errors import Problem, Refused
from meltwatch.model.ids import SourceId
from meltwatch.present.words import words_of
from meltwatch.transport.lane import Pace, Report
from meltwatch.transport.link import Server
from meltwatch.transport.outbox import Signer
from meltwatch.transport.outbox_drop import DAY_MS, Bound
from meltwatch.transport.outbox_file import (
    OutboxDamaged,
    OutboxError,
    OutboxInUse,
    OutboxOfAnother,
    OutboxUnknownFormat,
)
from meltwatch.transport.signature import PrivateKey, SharedSecret

SEED_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER = re.compile(r"[!-~]+")
_FRAME_S = (0.05, 5.0)


class KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gateway's key: its id, and one secret; `..._file`: where the secret's text stands.

    `hmac_sm3`: the shared text. `ed25519`: the private seed, 64 hexadecimal digits.
    """

    id: str
    hmac_sm3: str | None = None
    hmac_sm3_file: str | None = None
    ed25519: str | None = None
    ed25519_file: str | None = None

    def __repr__(self) -> str:
        """Return the key without its secret, for logs."""
        return f"KeyFile(id={self.id!r})"


class GatewayFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gateway's file as written; the figures are those of `Settings`, `Bound` and `Pace`."""

    gateway: SourceId
    server: str
    key: KeyFile
    outbox: str
    opcua: OpcUa
    outbox_mb: int = 2048
    outbox_days: float = 7.0
    frame_s: float = 0.5
    backoff_s: float = 0.5
    backoff_most_s: float = 30.0


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway's file, read and found sound."""

    settings: Settings
    opcua: OpcUa


class GatewayRefused(Refused):
    """A gateway's file or outbox cannot be used; every reason is named, nothing is started."""


def given_of(path: Path) -> Given:
    """Read a gateway's file and its key; raises GatewayRefused."""
    told: GatewayFile = read_given(path, GatewayFile, GatewayRefused)
    problems = [
        msgspec.structs.replace(one, place=f"{path}/{one.place}") for one in _problems(told)
    ]
    try:
        key = _key(path, told)
    except GatewayRefused as refused:
        raise GatewayRefused([*problems, *refused.problems]) from refused
    if problems:
        raise GatewayRefused(problems)
    settings = Settings(
        gateway=told.gateway,
        outbox=path.parent / told.outbox,
        server=Server(
            url=told.server.rstrip("/"),
            signer=Signer(told.key.id, key),
            pace=Pace(
                first_ms=round(told.backoff_s * 1000), most_ms=round(told.backoff_most_s * 1000)
            ),
        ),
        bound=Bound(bytes=told.outbox_mb * 1024**2, age_ms=round(told.outbox_days * DAY_MS)),
        frame_s=told.frame_s,
        recorded=told.opcua.domain == "recorded",
    )
    return Given(settings=settings, opcua=told.opcua)


def run_gateway(path: Path) -> None:
    """Run the gateway of a file until SIGINT or SIGTERM, its reports in words on stderr.

    Raises GatewayRefused for a file or an outbox that cannot be used.
    """
    given = given_of(path)
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)  # the reports tell it, once
    chance = random.SystemRandom()

    def source(clock: Clock) -> OpcUaSource:
        return OpcUaSource(given.opcua, clock, chance, lambda one: _say(problem_of_source(one)))

    settings, points = given.settings, len(given.opcua.mapping)
    print(
        f"meltwatch: gateway {settings.gateway}: {points} points of {given.opcua.endpoint} "
        f"to {settings.server.url}",
        flush=True,
    )
    try:
        run(settings, source, SystemClock(), chance, lambda one: _say(problem_of(one)), life())
    except* OutboxError as group:
        raise GatewayRefused([_of_outbox(one) for one in _leaves(group)]) from None
    print(f"meltwatch: gateway {settings.gateway}: ended", flush=True)


def problem_of(report: Report) -> Problem:
    """Return a report of the gateway or its link as what has words."""
    return Problem(
        f"epoch {report.epoch}" if report.epoch else "gateway", report.key, report.params
    )


def problem_of_source(report: SourceReport) -> Problem:
    """Return a report of the source as what has words; its end is a key of its own."""
    key = f"opcua.{report.key}{'_over' if report.over else ''}"
    return Problem(report.point or "opcua", key, report.params)


def _say(problem: Problem) -> None:
    chinese, english = words_of(problem)
    print(f"meltwatch: {problem.place}: {chinese} / {english}", file=sys.stderr, flush=True)


def _problems(told: GatewayFile) -> Iterator[Problem]:
    if not _NAME.fullmatch(told.gateway):
        yield Problem("gateway", "no_name")
    if not _is_address(told.server):
        yield Problem("server", "gateway.server", {"told": told.server})
    if not _HEADER.fullmatch(told.key.id):
        yield Problem("key/id", "gateway.key_id", {"told": told.key.id})
    if not told.outbox:
        yield Problem("outbox", "gateway.no_path")
    yield from _of_figures(told)
    yield from _of_opcua(told.opcua)


def _of_figures(told: GatewayFile) -> Iterator[Problem]:
    if not _FRAME_S[0] <= told.frame_s <= _FRAME_S[1]:
        yield Problem("frame_s", "gateway.outside", {"least": _FRAME_S[0], "most": _FRAME_S[1]})
    for name in ("outbox_mb", "outbox_days", "backoff_s", "backoff_most_s"):
        if not 0 < getattr(told, name) < math.inf:
            yield Problem(name, "not_positive")
    if not told.backoff_s <= told.backoff_most_s:
        yield Problem("backoff_most_s", "gateway.backoff_reversed", {"least_s": told.backoff_s})


def _of_opcua(told: OpcUa) -> Iterator[Problem]:
    if not _is_endpoint(told.endpoint):
        yield Problem("opcua/endpoint", "gateway.endpoint", {"told": told.endpoint})
    if not told.mapping:
        yield Problem("opcua/mapping", "gateway.no_points")
    try:
        check(told)
    except Refused as refused:
        for one in refused.problems:
            yield msgspec.structs.replace(one, place=f"opcua/{one.place}")


def _is_address(told: str) -> bool:
    """Tell whether this is scheme, host and port: what a request signs is the path after them."""
    try:
        url = httpx.URL(told)
    except httpx.InvalidURL:
        return False
    bare = url.path == "/" and not (url.query or url.fragment or url.userinfo)
    return url.scheme in {"http", "https"} and bool(url.host) and bare


def _is_endpoint(told: str) -> bool:
    try:
        url = urlsplit(told)
        return url.scheme == "opc.tcp" and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


def _key(path: Path, told: GatewayFile) -> SharedSecret | PrivateKey:
    """Return the key to sign with, its secret read from its file if it stands in one."""
    key, place = told.key, f"{path}/key"
    ways = {
        name: value
        for name in ("hmac_sm3", "hmac_sm3_file", "ed25519", "ed25519_file")
        if (value := getattr(key, name)) is not None
    }
    if len(ways) != 1:
        raise GatewayRefused([Problem(place, "gateway.one_key")])
    ((way, secret),) = ways.items()
    if way.endswith("_file"):
        secret, place = _read(path.parent / secret), str(path.parent / secret)
    if way.startswith("hmac_sm3"):
        if len(secret) < LEAST_SECRET:
            raise GatewayRefused([Problem(place, "secret_too_short", {"least": LEAST_SECRET})])
        return SharedSecret(gateway=told.gateway, secret=secret.encode())
    try:
        seed = bytes.fromhex(secret)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise GatewayRefused([Problem(place, "gateway.seed", {"digits": 2 * SEED_BYTES})])
    return PrivateKey(gateway=told.gateway, seed=seed)


def _read(file: Path) -> str:
    """Return the text of a file without the end of its line."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GatewayRefused([Problem(str(file), "unreadable", {"why": str(error)})]) from error


def _leaves(group: BaseExceptionGroup[OutboxError]) -> Iterator[OutboxError]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one


def _of_outbox(error: OutboxError) -> Problem:
    """Return what is wrong with the outbox: all of it is for a person to mend."""
    match error:
        case OutboxInUse():
            return Problem(error.place, "outbox.in_use")
        case OutboxOfAnother(gateway=gateway):
            return Problem(error.place, "outbox.of_another", {"gateway": gateway})
        case OutboxUnknownFormat(found=found, known=known):
            return Problem(error.place, "outbox.unknown_format", {"found": found, "known": known})
        case OutboxDamaged():
            return Problem(error.place, "outbox.damaged", {"reason": error.reason})
    return Problem(error.place, "outbox.unavailable", {"reason": error.reason})
