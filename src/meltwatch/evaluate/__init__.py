"""Which conditions hold, and from which instant to which: arithmetic over samples, exact.

Stands between the ledger and `alarm` in the journey. It never awaits, logs, or reads a clock or
the environment; instants come in with the samples. `kernel` is the engine, in columns; `twin` is
the plain one that it is held equal to, by a property.

    signal   a point as a step function: value, unknown, blind
    judge    what a kind says of the values it reads (a verdict)
    node     the state of one condition, and what it publishes
    step     one condition through its gate, raw state and delays, instant by instant
    reasons  why a condition is raised
    plan     a plant checked and put in order (refusals)
    twin     all nodes of a plant, driven by samples and coverage

    kernel   the engine of every kind: its docstring lists its parts
    coverage what of a source's time is complete: runs, holes, gaps
    through  an engine through what is missing
    corrections  what a frame says of instants that were complete
    island   sources that belong together: live, late, corrected, under grace
    evaluation  all islands of a plant; another plan (`adoption`)
"""
