"""Bets that the canary is no regression, by which the judge passes a step before its time is over.

The hypothesis: in every stretch of time, the canary's share of hits >= ratio * stable's, and >= least. It is rejected
if either half is, so there are stakes on both. The first compares within each stretch as `harm` does, in the opposite
direction; the second is a likelihood ratio of the canary alone (Wald 1945), and needs no hit anywhere.

Sources: those of `harm`; averages of e-values: Vovk, Wang, "E-values: Calibration, combination and applications",
Annals of Statistics 49 (2021).
"""

from __future__ import annotations

from math import inf, log

from functions.rollout.judge.wager import Table, log_sum

# The bets' ratios, in multiples of a regression's, and their shares, in multiples of the least one.
RATIOS = (0.12, 0.25, 0.5)
SHARES = (0.01, 0.1, 0.3, 0.6)
# The stakes of three comparisons with stable in the same stretches, three with stable's former requests added, and four
# of the canary alone; most is on a canary that is as good as stable, and on one that hardly ever fails.
STAKES = (0.05, 0.2, 0.05, 0.05, 0.2, 0.05, 0.12, 0.12, 0.08, 0.08)
# The bound of one stretch's evidence, however many requests it had: errors come and go, and one quiet stretch proves
# little.
MOST_IN_A_STRETCH = 3.2
# The bound the other way: an environment's event is soon over, and a lasting trouble is in each stretch.
LEAST_IN_A_STRETCH = -1.0


def gains(table: Table, former: Table, ratio: float, share: float, most: float) -> tuple[float, ...]:
    """Return the logarithms of all bets' factors in a stretch, at most `most`.

    `former` is the part of stable's former requests that helps, because its share within the stretch is hardly known.
    """
    found = (*comparing(table, ratio), *comparing(table.plus(former), ratio), *alone(table, share))
    least = LEAST_IN_A_STRETCH if most < inf else -inf
    return tuple([max(least, min(most, gain)) for gain in found])


def wealth(logs: tuple[float, ...]) -> float:
    """Return the logarithm of the whole wealth."""
    return log_sum([now + log(stake) for now, stake in zip(logs, STAKES, strict=True)])


def comparing(table: Table, ratio: float) -> tuple[float, ...]:
    """Return the logarithms of the factors of the bets on RATIOS, from both versions."""
    hits, canary, stable_hits, stable = table
    if not table.compares:
        return (0.0,) * len(RATIOS)
    pool = canary * ratio + stable
    both = hits + stable_hits
    return tuple([hits * log(part) + both * log(pool / (canary * ratio * part + stable)) for part in RATIOS])


def alone(table: Table, least: float) -> tuple[float, ...]:
    """Return the logarithms of the factors of the bets on SHARES, from the canary alone."""
    hits, missed = table.canary_hits, table.canary - table.canary_hits
    return tuple([hits * log(part) + missed * log((1 - least * part) / (1 - least)) for part in SHARES])
