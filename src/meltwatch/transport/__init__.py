"""Transport: how samples travel from a gateway to the ledger, provably and without loss.

It answers what a frame is, who sent it, which of its rows can be used, and what its source does
next. It stands between `collect`, which makes samples, and the ledger, which keeps frames. It may
not evaluate. All is pure (bytes in, bytes out, `now` an argument) but for the ends: the outbox on
disk (`outbox.py` and its parts) and the HTTP link (`link.py`, `line.py`).

`frame.py` is the format (`docs/formats/frame.md`) with `rows.py`, `columns.py`, `arrow.py` and
`layouts.py`, `inflate.py` how it comes packed, `signature.py` who sent it, `intake.py` the check of
a whole frame, `admit.py` of its rows (`judge.py` row by row), `answer.py` what is said back,
`lane.py` and `session.py` what the source does with it, `outbox_clock.py` what a wrong clock did.
"""
