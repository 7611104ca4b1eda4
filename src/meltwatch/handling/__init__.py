"""Cases (处置单): people's work on occurrences: 核实, 处置, 消警.

Stands between `alarm` and `risk`. An occurrence opens a case or joins the open one of its
condition; a value that has returned closes nothing: 消警 needs a person, a cause and a measure.
Nothing here awaits, logs, or reads a clock or the environment.

    progress   the steps of a case as a table
    case       the noun, and what can be told of it
    desk       the open cases, fed by alarm events and commands
"""
