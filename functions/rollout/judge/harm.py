"""Bets that the canary is worse than tolerated, by which the judge stops a release.

The hypothesis: in every stretch of time, the canary's share of hits <= ratio * (stable's + extra), whatever stable's
share is there. Both versions share a stretch's bursts and slow minutes, so only their difference is evidence.

A bet multiplies the wealth by A for each of the canary's hits, by B for each of stable's, and by e^-c for each request
of the canary. With n, m requests and shares p, s its expected factor is

    (1 + p(A-1))^n (1 + s(B-1))^m e^(-cn)  <=  exp(n p(A-1) + m s(B-1) - cn),

since 1 + x <= e^x. With A = (t/r) D(r)/D(t), B = D(r)/D(t), D(x) = n x + m, r the tolerated ratio and t > r another,
n r(A-1) + m(B-1) = 0; so with c = r (A-1) extra the right side is at most 1 if p <= r(s + extra). That holds for any
number of requests, any shares and any change of them from stretch to stretch; t is a guess of the canary's ratio.

Sources: Lindon, Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022 (canaries, inhomogeneous
rates: A and B are its likelihood ratio of whose the next hit is); Turner, Gruenwald, "Safe Sequential Testing and
Effect Estimation in Stratified Count Data", AISTATS 2023 (one table a stratum).
"""

from __future__ import annotations

from math import log

from functions.rollout.judge.wager import Table

# The bets' ratios, in multiples of the tolerated one, and their shares of the stake.
RATIOS = (1.6, 2.7, 6.0, 20.0, 100.0)
STAKES = (0.2, 0.4, 0.2, 0.1, 0.1)


def gains(table: Table, ratio: float, extra: float) -> tuple[float, ...]:
    """Return the logarithm of each bet's factor; 0 if one version had no request."""
    hits, canary, stable_hits, stable = table
    if not table.compares:
        return (0.0,) * len(RATIOS)
    pool = canary * ratio + stable
    cost = ratio * extra * canary
    gained = []
    for times in RATIOS:
        common = pool / (canary * ratio * times + stable)
        factor = times * common
        gained.append(hits * log(factor) + stable_hits * log(common) - cost * (factor - 1))
    return tuple(gained)
