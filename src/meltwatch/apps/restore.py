"""`meltwatch restore FROM DATA`: a backup becomes a data directory again, every byte compared.

Never over anything: the directory is new or empty. A restored node may know less than its gateways
and its people do: what is missing is told by `meltwatch reconcile`, and no copy of a node may run
beside the node itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from meltwatch.apps.audit import verify
from meltwatch.apps.backup import MANIFEST, VERSION, Made, Manifest, copy_file, shown_size
from meltwatch.apps.seal import LEDGER
from meltwatch.apps.stored import digest_due
from meltwatch.clock import Clock
from meltwatch.errors import Problem, Refused
from meltwatch.ledger.check import check
from meltwatch.ledger.database import sync_directory
from meltwatch.model.reason import Params
from meltwatch.present.live.wire import PRIVATE

UNDONE = ".part"


def restore(source: Path, data: Path, clock: Clock, say: Callable[[str], None]) -> Made:
    """Copy a backup to a new or empty directory and compare every file with its digest.

    Raises Refused: no backup, of another version, a file that differs (the place is then left
    with the ending `.part`), or a place that is taken.
    """
    began = clock.monotonic_ms()
    manifest = manifest_of(source)
    if data.exists() and not (data.is_dir() and not any(data.iterdir())):
        raise Refused([Problem(str(data), "restore.place_taken")])
    making = data.with_name(f"{data.name}{UNDONE}")
    if making.exists():
        raise Refused([Problem(str(making), "restore.place_taken")])
    making.mkdir(PRIVATE, parents=True)
    for number, (name, told) in enumerate(manifest.files.items(), start=1):
        target = making / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = copy_file(source / name, target)
        except OSError as error:
            reason: Params = {"reason": str(error)}
            raise Refused([Problem(name, "restore.file_unreadable", reason)]) from error
        if found != told:
            raise Refused([Problem(name, "restore.file_differs")])
        sync_directory(target.parent)
        say(f"{number:>5}/{len(manifest.files)}  {shown_size(found.bytes):>14}  {name}")
    if data.exists():
        data.rmdir()
    making.rename(data)
    sync_directory(data.parent)
    size = sum(one.bytes for one in manifest.files.values())
    return Made(files=len(manifest.files), bytes=size, took_ms=clock.monotonic_ms() - began)


def manifest_of(source: Path) -> Manifest:
    """Return what a backup holds; raises Refused."""
    try:
        told = msgspec.json.decode((source / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        reason: Params = {"reason": str(error)}
        raise Refused([Problem(str(source), "restore.no_backup", reason)]) from error
    if told.version != VERSION:
        versions: Params = {"found": told.version, "known": VERSION}
        raise Refused([Problem(str(source), "restore.version", versions)])
    for name in told.files:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise Refused([Problem(name, "restore.name")])
    return told


def wrong_with_restored(data: Path) -> list[Problem]:
    """Return what is not sound in a restored directory: its ledger, its audit chains."""
    return [*check(data / LEDGER, digest_due), *verify(data).problems]
