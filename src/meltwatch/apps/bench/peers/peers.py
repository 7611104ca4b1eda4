"""peers: false, missed, early and double alarms, lateness, kill -9 within a delay, ingest rate.

Of `STEPS` points that go over the limit one after the other and stay, each must be told once, its
delay behind its first sample over the limit; as many others go over for one sample, and none of
those may be told. Lateness counts from that instant to the sink.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from meltwatch.apps.bench.measure import own_cpu_s
from meltwatch.apps.bench.peers.engines import Ours, Prometheus, Victoria
from meltwatch.apps.bench.peers.trial import Kill, Make, Trial
from meltwatch.apps.bench.plant import Works
from meltwatch.apps.bench.verdict import BenchFailed, Checked, Outcome, Stage, Wish

RATES = (20_000, 60_000)
STEPS, STEPS_OVER_CYCLES, OVER_MS = 200, 20, 10_000
SETTLE_S = 15.0
"""How long late alarms are waited for."""
KILL_RATE, KILL_STEPS, KILL_DELAY_MS = 1_000, 20, 20_000
CALM_CYCLES = 12
"""How long nothing happens at first: a peer's index takes some seconds to see new series."""
KILL_AT_S, DOWN_S = 24.0, 2.0
"""Some 12 s after the first sample over the limit, as in older measurements."""
FLOOD_S, FLOOD_CYCLES = 15.0, 100
ROWS = 1_000


class _Peers:
    """All engines, one after the other; one that cannot be run leaves a line and no figures."""

    def __init__(self, stage: Stage, wish: Wish) -> None:
        self.stage, self.wish = stage, wish
        self.figures: dict[str, float] = {}
        self.load: dict[str, float | int | str] = {}
        self.checked: list[Checked] = []

    def run(self, name: str, make: Make) -> None:
        """Put one engine through everything."""
        trial, wish = Trial(self.stage, make), self.wish
        rates = (wish.points,) if wish.points else RATES
        for rate in rates:
            self._try(f"{name}_{_short(rate)}", partial(self._steps, trial, rate))
        if wish.seconds is None:
            self._try(f"{name}_kill", partial(self._kill, trial))
            self._try(f"{name}_ingest", partial(self._flood, trial, max(rates)))

    def _try(self, tag: str, work: Callable[[str], None]) -> None:
        self.stage.say(tag)
        try:
            work(tag)
        except (BenchFailed, OSError) as error:
            self.stage.say(f"{tag}: {error}")
            self.load[f"{tag}_failed"] = str(error)[:200]

    def _steps(self, trial: Trial, rate: int, tag: str) -> None:
        over = min(STEPS_OVER_CYCLES, max(int(self.wish.seconds or STEPS_OVER_CYCLES), 1))
        works = works_of(rate, steps=min(STEPS, rate // 10), steps_over=over, calm=self._calm())
        cycles = works.calm + over + (works.over_cycles + 5 if self.wish.seconds is None else 4)
        came = trial.steps(works, cycles=cycles, settle_s=min(SETTLE_S, over))
        self.figures |= came.figures(tag)
        if tag.startswith("meltwatch"):
            wrong = came.false + came.missed + came.early + came.double
            seen = f"{wrong} wrong, {len(came.late_ms)} alarms"
            self.checked.append(Checked(f"{tag}: every step told once", wrong == 0, seen))

    def _calm(self) -> int:
        return CALM_CYCLES if self.wish.seconds is None else 2

    def _kill(self, trial: Trial, tag: str) -> None:
        works = works_of(
            KILL_RATE,
            steps=KILL_STEPS,
            steps_over=1,
            calm=CALM_CYCLES,
            on_delay_ms=KILL_DELAY_MS,
            over_ms=60_000,
        )
        came = trial.steps(
            works, cycles=CALM_CYCLES + 43, settle_s=SETTLE_S, kill=Kill(KILL_AT_S, DOWN_S)
        )
        self.figures |= came.figures(tag)

    def _flood(self, trial: Trial, rate: int, tag: str) -> None:
        works = works_of(rate, steps=1, steps_over=1, calm=0)
        took = trial.flood(works, cycles=FLOOD_CYCLES, seconds=FLOOD_S)
        self.figures[f"{tag}_samples_per_s"] = round(took)


def peers(stage: Stage, wish: Wish) -> Outcome:
    """Return each engine's figures, named `engine_rate_what`."""
    run, used = _Peers(stage, wish), own_cpu_s()
    run.run("meltwatch", Ours)
    run.run("prometheus", lambda works, place: Prometheus(works, place, stage.directory))
    run.run("victoria", lambda works, place: Victoria(works, place, stage.directory))
    run.load["generator_cpu_s"] = round(own_cpu_s() - used, 2)
    return Outcome(figures=run.figures, load=run.load, checked=run.checked)


def works_of(
    rate: int,
    *,
    steps: int,
    steps_over: int,
    calm: int,
    on_delay_ms: int = 2_000,
    over_ms: int = OVER_MS,
) -> Works:
    """Return one plant of so many points, one sample a second each, with one rule."""
    gateways = max(rate // ROWS, 1)
    return Works(
        points=rate,
        plants=1,
        gateways_a_plant=gateways,
        rows=ROWS,
        steps=steps,
        steps_over=steps_over,
        calm=calm,
        spread_ms=1,
        on_delay_ms=on_delay_ms,
        over_ms=over_ms,
        one_rule=True,
        clock="live",
    )


def _short(rate: int) -> str:
    return f"{rate // 1000}k" if rate >= ROWS else str(rate)
