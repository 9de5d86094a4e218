"""Evidence as a gambler's wealth: it may be looked at after every bet, and the law of large numbers can't inflate it.

A wealth that starts at 1 and isn't expected to grow while a hypothesis is true reaches 1/a with a chance of at most a,
ever (Ville 1939). So it may be looked at every few seconds, and the first time that it is 1/a rejects the hypothesis
with the error a. Nobody knows which bet is best: the stake is divided among several, whose wealths add up.

Sources: Ramdas, Gruenwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference", Statistical
Science 38 (2023); Johari, Koomen, Pekelis, Walsh, "Peeking at A/B tests", KDD 2017 (why not to peek otherwise).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log
from typing import NamedTuple


class Table(NamedTuple):
    """One time bucket as a 2 x 2 table: the requests of both versions, and those of them that are `hits`.

    A hit is what is counted against a version: a failed request, or a slow one.
    """

    canary_hits: int
    canary: int
    stable_hits: int
    stable: int


class Wealth(NamedTuple):
    """The logarithms of what one unit became in each bet since a step began.

    Attributes:
        logs: in each bet, from the release's beginning.
        begun: `logs` as they were when each step so far began; a share of the stake waits for each step.
    """

    logs: tuple[float, ...]
    begun: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, bets: int) -> Wealth:
        """Nothing is bet yet."""
        return cls((0.0,) * bets, ((0.0,) * bets,))

    def after(self, gains: Sequence[float]) -> Wealth:
        """Multiply each bet's wealth; gains are logarithms."""
        return Wealth(tuple([a + b for a, b in zip(self.logs, gains, strict=True)]), self.begun)

    def at_step(self, step: int) -> Wealth:
        """Put in the share that waited for this step."""
        return self if step < len(self.begun) else Wealth(self.logs, (*self.begun, self.logs)).at_step(step)

    def times(self, factor: float) -> Wealth:
        """Return what it would be if all bets since the first step had been settled so many times."""
        return Wealth(tuple([log * factor for log in self.logs]), self.begun)

    def log(self, stakes: Sequence[float], steps: int = 1) -> float:
        """Return the logarithm of all that the stake became.

        Half of it is bet from the first step on; of the other half each later step has an equal share, which isn't
        lost by what came before: a regression may show under load only.

        Args:
            stakes: each bet's share; they add up to 1.
            steps: how many there will be.
        """
        first = 0.5 if steps > 1 else 1.0
        later = (1 - first) / (steps - 1) if steps > 1 else 0.0
        terms = [
            log(stake * (later if number else first)) + now - then
            for number, begun in enumerate(self.begun)
            for stake, now, then in zip(stakes, self.logs, begun, strict=True)
        ]
        if (waiting := later * (steps - len(self.begun))) > 0:
            terms.append(log(waiting))
        return log_sum(terms)


def log_sum(terms: Sequence[float]) -> float:
    """Return log(sum(exp(terms))) without overflow."""
    most = max(terms)
    return most if most == -inf else most + log(sum([exp(term - most) for term in terms]))
