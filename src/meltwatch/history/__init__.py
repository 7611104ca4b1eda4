"""History: what the ledger's samples become once they are sealed.

It answers what was measured, long after the log files are gone: sealed Parquet segments that any
engine can read, and the catalogue that says which of them count. It stands beside the journey and
reads the same log; it may not raise alarms, and nothing is evaluated here.

    rows       rows of samples in columns, with the place in the log that each came from
    pile       what has been taken and not yet sealed
    settle     rows of one place brought together, sorted by (point, at)
    segment    rows <-> the bytes of a segment (docs/formats/segment.md)
    earlier    rows already sealed at the places of late ones
    ruling     what rules of them; minutes: its one-minute roll-ups; held: what held at an hour
    coverage   what of each source's time is complete or lost
    schema     the tables of a catalogue; catalogue: which files count, up to where is sealed
    disk       files, written durably and opened though they were just replaced
    compact    small segments of an hour -> one, with roll-ups; keeping: for how long
    sealer     the above in order: take, due, seal, compact
    read       the sealed rows without a query engine, and the check of every digest
"""
