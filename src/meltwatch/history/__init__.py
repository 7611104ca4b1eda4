"""History: what the ledger's samples become once they are sealed.

It answers what was measured, long after the log files are gone: sealed Parquet segments that any
engine can read, and the catalogue that says which of them count. It stands beside the journey and
reads the same log; it may not raise alarms, and nothing is evaluated here.

    rows       rows of samples in columns, with the place in the log that each came from
    pile       what has been taken and not yet sealed
    settle     repeats dropped, corrections flagged, sorted by (point, at)
    segment    rows <-> the bytes of a segment (docs/formats/segment.md)
    earlier    rows already sealed at the places of late ones
    catalogue  which segments count, and up to where the log is sealed
    sealer     the above in order: take, due, seal
    read       the sealed rows without a query engine, and the check of every digest
"""
