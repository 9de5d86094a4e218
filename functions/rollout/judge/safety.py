"""Bets that the canary is no regression: what lets the judge pass a release before its time is over.

The hypothesis: in every time bucket, share of hits of the canary >= ratio * stable's, and >= least. It is rejected by
either half, so half of the stake is on each: the first compares within each bucket as `harm` does, with the sign
turned; the second is a likelihood ratio of the canary alone (Wald 1945), and needs no hit anywhere.

Sources: those of `harm`; averages of e-values: Vovk, Wang, "E-values: Calibration, combination and applications",
Annals of Statistics 49 (2021).
"""

from __future__ import annotations

from math import log

from functions.rollout.judge.wager import Table

# The canary's ratio might be so much of a regression's, its share so much of the least one.
RATIOS = (0.12, 0.25, 0.5)
SHARES = (0.01, 0.1, 0.3, 0.6)


def comparing(table: Table, ratio: float) -> tuple[float, ...]:
    """Return the logarithms of what the bets on RATIOS gain from both versions."""
    hits, canary, stable_hits, stable = table
    if not canary or not stable:
        return (0.0,) * len(RATIOS)
    pool = canary * ratio + stable
    both = hits + stable_hits
    return tuple([hits * log(part) + both * log(pool / (canary * ratio * part + stable)) for part in RATIOS])


def alone(table: Table, least: float) -> tuple[float, ...]:
    """Return the logarithms of what the bets on SHARES gain from the canary."""
    hits, missed = table.canary_hits, table.canary - table.canary_hits
    return tuple([hits * log(part) + missed * log((1 - least * part) / (1 - least)) for part in SHARES])


STAKES = (*(0.5 / len(RATIOS),) * len(RATIOS), *(0.5 / len(SHARES),) * len(SHARES))
STAKES_ALONE = (1 / len(SHARES),) * len(SHARES)
