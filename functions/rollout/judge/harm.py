"""Bets that the canary is worse than tolerated: what makes the judge stop a release.

The hypothesis: in every time bucket, share of hits of the canary <= ratio * (stable's + extra), whatever stable's is
there. Both versions share a bucket's bursts and slow minutes, and only what differs between them is evidence.

A bet multiplies the wealth by A for each of the canary's hits, by B for each of stable's, and pays c for each request
of the canary. With n, m requests and shares p, s it is expected to give

    (1 + p(A-1))^n (1 + s(B-1))^m e^(-cn)  <=  exp(n p(A-1) + m s(B-1) - cn),

since 1 + x <= e^x. With A = (t/r) D(r)/D(t), B = D(r)/D(t), D(x) = n x + m, r the tolerated ratio and t > r another,
n r(A-1) + m(B-1) = 0; so with c = r (A-1) extra the right side is at most 1 if p <= r(s + extra). That holds for any
number of requests, any shares and any change of them from bucket to bucket; t is what the canary's ratio might be.

Sources: Lindon, Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022 (canaries, inhomogeneous
rates: A and B are its likelihood ratio of whose the next hit is); Turner, Gruenwald, "Safe Sequential Testing and
Effect Estimation in Stratified Count Data", AISTATS 2023 (one table a stratum).
"""

from __future__ import annotations

from math import log

from functions.rollout.judge.wager import Table

# Times the tolerated ratio, and the share of the stake.
RATIOS = (1.6, 2.7, 6.0, 20.0, 100.0)
STAKES = (0.2, 0.4, 0.2, 0.1, 0.1)
# No bet gains more than this in one bucket. Requests of one environment fail together: one bad moment of one
# environment must not stop a release. Whoever gives away a part of a gain still plays fair.
MOST_GAIN = log(20)


def gains(table: Table, ratio: float, extra: float) -> tuple[float, ...]:
    """Return the logarithm of what each bet multiplies its wealth by; 0 where one version had no request."""
    hits, canary, stable_hits, stable = table
    if not canary or not stable:
        return (0.0,) * len(RATIOS)
    pool = canary * ratio + stable
    cost = ratio * extra * canary
    gained = []
    for times in RATIOS:
        common = pool / (canary * ratio * times + stable)
        factor = times * common
        gain = hits * log(factor) + stable_hits * log(common) - cost * (factor - 1)
        gained.append(min(MOST_GAIN, gain))
    return tuple(gained)
