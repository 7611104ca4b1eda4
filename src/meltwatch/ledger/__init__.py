"""The ledger: the durable, ordered log of everything that happened.

It answers what was taken in, in which order, and up to where it has been judged. It stands between
transport, which hands it frames, and the journey, which reads it; state is the fold of what is
kept here. It may not interpret values: data are opaque bytes, a digest is compared and never
computed. Only the audit rows of a commit are made here, where its transaction is. `port.py` is the
seam, `embedded.py` and `memory.py` are the homes behind it.
"""
