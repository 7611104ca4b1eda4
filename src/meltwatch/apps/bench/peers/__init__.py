"""Other people's alarm engines under the same load in the same run: Prometheus, VictoriaMetrics.

Nobody is judged by a guess: each gets the same samples at the same instants, by its own way in, the
same rule, and a sink that listens. They run one after another, since two cores hold one at a time.
"""
