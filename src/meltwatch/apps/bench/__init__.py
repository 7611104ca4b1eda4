"""`meltwatch bench`: what the product does on this machine, checked by something that is not it.

One file a bench; beside them what they stand on: `plant` (points, limits, signals), `load` (frames
made beforehand, and the generator's own ledger), `sending`, `server` (the real processes), `screen`
(somebody who looks on), `checks` (plain DuckDB and SQLite), `measure` (processes, disk, machine).
"""
