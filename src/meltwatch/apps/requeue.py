"""Rows out of quarantine: judged again under the plant in force, logged once, audited.

    meltwatch requeue -> the core (local socket), or the ledger itself when no core runs

Whoever asks reads the log and names frames and rows; the core reads the frame again, judges, and
logs what passes as a record of its own: what was sent stays as it was. The frame's own stream,
`requeue POSITION`, numbers the requeueings, so that none is done twice (decision 0011).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

import msgspec

from meltwatch.apps.core import Core, entry_of
from meltwatch.apps.core_order import AGAIN
from meltwatch.apps.quarantine import REQUEUE, KeptRow, frame_of, layouts_before, quarantine
from meltwatch.errors import Problem
from meltwatch.model.encoding import encode
from meltwatch.model.ids import EnterpriseId, EpochId
from meltwatch.model.log import RequeuedRecord, SamplesRecord
from meltwatch.model.plant import Plant
from meltwatch.model.reason import Params
from meltwatch.model.sample import Row, SampleBatch, batch_of
from meltwatch.present.live.core_line import OrderRefused, Requeue, Requeued
from meltwatch.transport.frame import Frame
from meltwatch.transport.judge import Quarantined, judge
from meltwatch.transport.points import book_of

ROWS_AT_ONCE = 5_000


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for rows to be requeued, and why."""

    who: str
    role: str
    node: str
    origin: str
    why: str


def requeues_of(rows: Iterable[KeptRow], enterprise: EnterpriseId, asker: Asker) -> list[Requeue]:
    """Return what to ask of the core for rows that would pass now and were not requeued yet."""
    who = msgspec.structs.asdict(asker)
    asked: list[Requeue] = []
    for frame, told in groupby(rows, key=lambda one: one.pos):
        listed = list(told)
        open_rows = [one.row for one in listed if one.passes and one.requeued_at is None]
        for number, start in enumerate(range(0, len(open_rows), ROWS_AT_ONCE)):
            mine = tuple(open_rows[start : start + ROWS_AT_ONCE])
            asked.append(
                Requeue(
                    enterprise=enterprise,
                    frame=frame,
                    rows=mine,
                    round=listed[0].rounds + number,
                    **who,
                )
            )
    return asked


def open_requeues(ledger: Path, enterprise: EnterpriseId, asker: Asker) -> list[Requeue]:
    """Return what there is to requeue in a ledger; may run beside the core."""
    return requeues_of(quarantine(ledger, enterprise), enterprise, asker)


def requeue_at(cores: Mapping[EnterpriseId, Core], asked: Requeue, now: int) -> Requeued:
    """Have the enterprise's core do it; raises as `requeue`, OrderRefused if there is none."""
    core = cores.get(asked.enterprise)
    if core is None:
        told: Params = {"enterprise": asked.enterprise}
        raise OrderRefused(Problem("enterprise", "order.no_enterprise", told))
    return requeue(core, asked, now)


def requeue(core: Core, asked: Requeue, now: int) -> Requeued:
    """Log the rows that pass under the plant in force, with their audit row, once.

    `now`: the owner's clock, ms UTC. Raises OrderRefused (nothing is logged) when the frame is not
    retained, a row of it does not pass, or another requeueing of it came first; Unavailable when
    the outcome is unknown: list again, what was logged is marked.
    """
    core.come_in_line()
    record, plant = core.stored(asked.frame), core.journey.state.plant
    name = f"{REQUEUE}{asked.frame}"
    done = core.stream.last_seq(name)
    if record is None or plant is None:
        raise OrderRefused(Problem("frame", "requeue.frame_gone", {"frame": asked.frame}))
    if done != asked.round:
        told: Params = {"done": done, "told": asked.round}
        raise OrderRefused(Problem("round", "requeue.overtaken", told))
    assert record.evidence is not None
    layouts = layouts_before(core.stream, core.enterprise, asked.frame)
    frame = frame_of(record.evidence, layouts)
    samples = _samples(record, frame, plant, asked.rows)
    made = _record_of(record, asked, now, samples, _run_end(core, record))
    digest = hashlib.sha256(encode(made)).digest()
    core.log_own(made, entry_of(made, name, done + 1, digest))
    return Requeued(rows=len(asked.rows), head=core.audit_head())


def _record_of(
    record: SamplesRecord, asked: Requeue, now: int, samples: SampleBatch, run_end: int | None
) -> RequeuedRecord:
    """Return what is logged; it ends where the source's live run ends, and so completes nothing."""
    complete_to = record.complete_to if run_end is None else run_end
    return RequeuedRecord(
        received_at=now,
        source=record.source,
        epoch=EpochId(record.epoch + AGAIN * (asked.round + 1)),
        seq=record.seq,
        complete_from=complete_to,
        complete_to=complete_to,
        samples=samples,
        backfill=run_end is None,
        mark=record.mark,
        frame=asked.frame,
        rows=asked.rows,
        who=asked.who,
        role=asked.role,
        node=asked.node,
        origin=asked.origin,
        why=asked.why,
    )


def _samples(
    record: SamplesRecord, frame: Frame, plant: Plant, rows: tuple[int, ...]
) -> SampleBatch:
    """Return the samples that rows of a frame are; raises OrderRefused for one that is none."""
    evidence = record.evidence
    held = set() if evidence is None else {row for row, _ in evidence.quarantined}
    if not rows or len(set(rows)) != len(rows) or not held.issuperset(rows):
        raise OrderRefused(Problem("rows", "requeue.not_in_quarantine"))
    return batch_of(_judged(record, frame, plant, rows))


def _judged(
    record: SamplesRecord, frame: Frame, plant: Plant, rows: tuple[int, ...]
) -> Iterator[Row]:
    if record.source not in plant.sources:
        raise OrderRefused(Problem("frame", "requeue.source_gone", {"source": record.source}))
    book = book_of(plant, record.source)
    for row in rows:
        judged = judge(row, frame, book, record.received_at)
        if isinstance(judged, Quarantined):
            raise OrderRefused(Problem(f"rows/{row}", judged.key, judged.params))
        yield judged


def _run_end(core: Core, record: SamplesRecord) -> int | None:
    """Return where the source's live run ends, None before it has one."""
    evaluation = core.journey.state.evaluation
    coverage = None if evaluation is None else evaluation.coverage.get(record.source)
    return None if coverage is None else coverage.run_end
