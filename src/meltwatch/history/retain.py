"""Retention: files of hours that are older than their class is kept leave the catalogue.

Whole files only, and only of compacted hours. An hour is as old as its end or its file, whichever
is younger: a recorded file that is played today is kept from today on. Rows that come for an hour
of which only roll-ups are left are dropped when it would be compacted. What leaves lies in
`retired/` for a while, so nobody's reading breaks.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from meltwatch.history.catalogue import HOUR_MS, Catalogue, Change
from meltwatch.history.compact import retire
from meltwatch.history.keeping import Keeping


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """How many files left, of which kind."""

    raw: int = 0
    minutes: int = 0


def expire(directory: Path, catalogue: Catalogue, keeping: Keeping, now: int) -> Expired:
    """Take what is too old at `now` (ms UTC) out of the catalogue; raises `Unavailable`."""
    change = Change()
    view = catalogue.view()
    for one in view.segments:
        if one.kind == "hour" and one.hour is not None:
            before = keeping.horizon(one.class_, now)[0]
            if max((one.hour + 1) * HOUR_MS, one.sealed_at) <= before:
                change.gone.append(one.path)
                change.horizons["raw", one.class_] = before
    rolled = [one for one in view.derived if one.kind == "minutes"]
    for derived in rolled:
        before = keeping.horizon(derived.class_, now)[1]
        if max((derived.hour + 1) * HOUR_MS, derived.made_at) <= before:
            change.gone_derived.append(("minutes", derived.path))
            change.horizons["minutes", derived.class_] = before
    expired = Expired(raw=len(change.gone), minutes=len(change.gone_derived))
    gone = {path for _, path in change.gone_derived}
    kept = {one.hour for one in rolled if one.path not in gone}
    kept |= {one.hour for one in view.segments if one.hour is not None}
    # What was held at an hour is needed as long as there is anything of it to draw.
    change.gone_derived += [
        ("held", one.path)
        for one in view.derived
        if one.kind == "held" and one.hour not in kept and kept and one.hour < min(kept)
    ]
    if expired.raw or change.gone_derived:
        catalogue.replace(change, now)
        retire(directory, catalogue)
    return expired
