"""Which conditions hold, and from which instant to which: arithmetic over samples, exact.

Stands between the ledger and `alarm` in the journey. It never awaits, logs, or reads a clock or
the environment; instants come in with the samples. `twin` is the plain engine of every kind;
`kernel` is the fast one, in columns, and a property holds the two equal.

    signal   a point as a step function: value, unknown, blind
    judge    what a kind says of the values it reads (a verdict)
    node     the state of one condition, and what it publishes
    step     one condition through its gate, raw state and delays, instant by instant
    reasons  why a condition is raised
    plan     a plant checked and put in order (refusals)
    twin     all nodes of a plant, driven by samples and coverage
    coverage what of a source's time is complete: runs, holes, gaps
    evaluation  frames as they come: live, late, corrected, under grace

    kernel   the fast engine of every kind: its docstring lists its parts
"""
