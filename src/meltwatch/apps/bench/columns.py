"""columns: the wire's columns against its JSON rows, each through the whole journey in one run."""

from __future__ import annotations

from meltwatch.apps.bench.journey import journey
from meltwatch.apps.bench.verdict import Outcome, Stage, Wish

JSON, COLUMNS = "json", "columns"


def columns(stage: Stage, wish: Wish) -> Outcome:
    """Return how many times as many samples a second go through in columns."""
    told: dict[str, Outcome] = {}
    for form in (JSON, COLUMNS):
        place = stage.directory / form
        place.mkdir()
        told[form] = journey(Stage(place), wish, form)
    rates = {form: one.figures["samples_per_s"] for form, one in told.items()}
    figures = {"ratio_to_json": round(rates[COLUMNS] / rates[JSON], 3)}
    figures |= {f"{form}_samples_per_s": rate for form, rate in rates.items()}
    load = {
        f"{form}_{name}": value for form, one in told.items() for name, value in one.load.items()
    }
    checked = [*told[JSON].checked, *told[COLUMNS].checked]
    return Outcome(figures=figures, load=load, checked=checked)
