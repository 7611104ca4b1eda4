"""Occurrences: what was raised, returned, acknowledged, amended and withdrawn.

Stands between `evaluate`, which says which conditions hold from when to when, and `handling`,
which is people's work. An occurrence is technical: acknowledging silences the horn and never
changes an instant. Nothing here awaits, logs, or reads a clock or the environment.

    standing     the states of an occurrence as a table
    occurrence   the noun, and what can be told of it
    board        what is published, kept equal to what was decided
"""
