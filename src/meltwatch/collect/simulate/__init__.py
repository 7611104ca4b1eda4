"""A plant that does not exist: seeded physics, instruments and its own interlocks, in event time.

It stands where instruments stand, before the first step of the journey, for demonstrations, tests
and servers that want something to serve. It may not read a clock, sleep, or touch a socket or a
file: whoever calls `advance` says how far time has come. See `docs/simulator.md`.

    simulator    a kind, a seed and a start -> rows of samples, however time is cut
    point        the points of a kind: unit, period, type, span, resolution, noise
    accident     what can be made to happen, as data
    errors       what cannot
    instrument   a true value -> a reading
    actuator     a command -> a position, later or never
    dynamics     lags and ramps, one second at a time
    chance       every random number, from the seed
    well/        the aluminium casting well (`dc-fixed`)
    works/       the steel works (`steel`)
"""
