"""A stored entry as the record that it is, or the finding that its bytes are no longer it.

The ledger keeps opaque bytes with their digest; here both are compared, as far as a digest covers
what is stored: the body of a frame, the whole of the node's own records and orders.
"""

from __future__ import annotations

import hashlib

from meltwatch.apps.core_order import WEB, Ordered, digest_of, record_stored
from meltwatch.journey import JourneyState
from meltwatch.ledger.port import Entry
from meltwatch.model.encoding import VERSION, UnknownEncoding, decode, encode
from meltwatch.model.ids import EnterpriseId
from meltwatch.model.log import Record, RequeuedRecord, SamplesRecord
from meltwatch.present.live.core_line import Order
from meltwatch.transport.signature import digest

OWN = "core"
"""The name of a core's own stream: what the node itself tells an enterprise's log."""


STATE_FORM = 2
"""How a checkpoint keeps the journey's state: it is no record, and one of another form is not read,
but made anew from the log. Form 1 had one engine for the whole plant."""


def stored_state(state: JourneyState) -> bytes:
    """Return a journey's state as a checkpoint keeps it."""
    return bytes((STATE_FORM,)) + encode(state)


def state_of(stored: bytes) -> JourneyState | None:
    """Return a checkpoint's state; None for one of another form: the log is judged again."""
    if stored[:1] != bytes((STATE_FORM,)):
        return None
    state: JourneyState = decode(stored[1:], JourneyState)
    return state


def record_sound(entry: Entry, enterprise: EnterpriseId) -> Record | None:
    """Return the record of a stored entry; None when its bytes are not those that were stored.

    Raises UnknownEncoding for bytes of another version: another program wrote them.
    """
    try:
        record = record_stored(entry.data)
    except UnknownEncoding:
        if entry.data[:1] != bytes((VERSION,)):
            raise
        return None
    return record if _fits(record, entry, enterprise) else None


def digest_due(entry: Entry) -> bytes:
    """Return the digest that an entry's bytes should have, as far as they tell it themselves."""
    try:
        record = record_stored(entry.data)
    except UnknownEncoding:
        return b""
    if isinstance(record, SamplesRecord) and record.evidence is not None:
        return digest(record.evidence.body)
    return hashlib.sha256(entry.data).digest() if entry.source == OWN else entry.digest


def _fits(record: Record, entry: Entry, enterprise: EnterpriseId) -> bool:
    match record:
        case SamplesRecord(evidence=evidence) if evidence is not None:
            return digest(evidence.body) == entry.digest
        case Ordered(command=command, other=other) if entry.source == WEB and other is not None:
            order = Order(enterprise=enterprise, seq=entry.seq, command=command, other=other)
            return digest_of(order) == entry.digest
        case _ if entry.source == OWN or isinstance(record, RequeuedRecord):
            return hashlib.sha256(entry.data).digest() == entry.digest
        case _:
            return True
