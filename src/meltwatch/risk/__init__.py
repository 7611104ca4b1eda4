"""The colour of a plant's risk, what it is made of, and what would lower it.

Stands between `handling` and those who tell people. A colour is never given without its
contributions; a plant without data is unassessed (未评估), never blue. Nothing here awaits, logs,
or reads a clock or the environment.

    causes   what stands under the colour now, from alarms, cases and hazards
    colour   the assessment: floors, hold, contributions, what would lower it
"""
