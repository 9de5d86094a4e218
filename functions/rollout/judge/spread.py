"""The spread of failures over the environments: by chance, or from a single environment's event.

A dead connection fails all requests of one environment for half a minute: that is one event, not fifty failures. The
spread shows it. If requests failed independently, environments would differ by chance alone, and the sum of the squares
of their failures would be F + p^2 * (sum of the squares of their requests), with F failures and p their share. The
excess over that is overdispersion. Failures and requests are divided by it, as in quasi-likelihood, so that an
environment's event counts for about one failure.

Source: McCullagh, Nelder, "Generalized Linear Models" (1989), sections 4.5 and 6.2.
"""

from __future__ import annotations

from math import log

from functions.rollout.judge.counts import Spread

# The least number of environments among which one can stand out.
ENOUGH = 3
# The bounds of a stretch's evidence: from one environment, or an unknown number; from two; and from several. An event
# of one environment is in two stretches at most, and two such events don't suffice for any verdict.
MOST_OF_ONE, MOST_OF_TWO, MOST_OF_SEVERAL = log(4), log(5), log(200)
# The bound for replayed requests: several run at once, so that one environment serves only a part.
MOST_REPLAYED = log(8)


def environments(requests: float, spread: Spread) -> float:
    """Return the effective number of environments, as if they shared the requests equally; 0: unknown."""
    return requests * requests / spread.requests if spread.requests else 0.0


def overdispersion(failed: float, requests: float, spread: Spread) -> float:
    """Return the number of failures of one event; 1: failures are independent, or it is unknown.

    What exceeds 1 counts twice, since an event of one environment lies in two stretches at most, and each alone shows
    but a part of it.
    """
    if not failed or environments(requests, spread) < ENOUGH:
        return 1.0
    share = failed / requests
    excess = (spread.failed - share * share * spread.requests) / failed - 1.0
    return 1.0 + 2.0 * max(0.0, excess)


def most_gain(requests: float, spread: Spread, *, replayed: bool) -> float:
    """Return the bound of a stretch's evidence, as a logarithm, by the canary's environments in it."""
    if replayed:
        return MOST_REPLAYED
    found = environments(requests, spread)
    if found >= ENOUGH:
        return MOST_OF_SEVERAL
    return MOST_OF_TWO if found >= ENOUGH - 1 else MOST_OF_ONE
