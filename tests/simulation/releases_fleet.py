"""A version's environments: how many there are, how old, which of them is having a bad moment; and what they count."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from math import ceil, exp, log, sqrt
from statistics import NormalDist

from functions.rollout.judge import Counts, RouteCounts, Spread, VersionCounts
from tests.simulation.releases_draws import Shape, poisson
from tests.simulation.releases_weather import RARE, Mix, Weather
from tidegate.outcomes.histogram import Histogram, bin_of, lowest_us

# Every third of a histogram's bins stands for its neighbours.
_COARSE = 3
HALF_MINUTE_S = 30
_ORDERS = 0.3


@cache
def shape(mix: Mix, times: float) -> Shape:
    """Cut a mixture of lognormal distributions, so many times as slow, into bins."""
    parts = [(share, NormalDist(log(median_ms * 1000 * times), sigma)) for share, median_ms, sigma in mix]

    def below(us: int) -> float:
        return sum(share * body.cdf(log(max(us, 1))) for share, body in parts)

    first = min(bin_of(int(exp(body.mean - 3.5 * body.stdev))) for _, body in parts)
    last = max(bin_of(int(exp(body.mean + 4 * body.stdev))) for _, body in parts)
    cuts = list(range(first, last + _COARSE + 1, _COARSE))
    shares = [(cut, below(lowest_us(cut + _COARSE)) - below(lowest_us(cut))) for cut in cuts]
    total = sum(share for _, share in shares)
    return Shape([(cut + _COARSE // 2, share / total) for cut, share in shares if share > 1e-7])


@cache
def mean_s(mix: Mix) -> float:
    """How long a request takes on average."""
    return sum(share * median_ms / 1000 * exp(sigma * sigma / 2) for share, median_ms, sigma in mix)


@dataclass
class Fleet:
    """One version's environments.

    Attributes:
        rng: draws what happens to them.
        old: whether they had served for long before the release.
        births: when each served its first request.
    """

    rng: random.Random
    old: bool
    births: list[float] = field(default_factory=list)
    _dead: dict[int, tuple[float, float]] = field(default_factory=dict)
    _half: int = -1
    _served: float = 0.0
    _failed: dict[int, int] = field(default_factory=dict)
    _pending: tuple[float, float, float] | None = None

    def serve(
        self, weather: Weather, at: tuple[float, float], mean: float, canary: bool, more: float = 0.0
    ) -> VersionCounts:
        """Serve so many requests on average in a look that begins and lasts as `at` says; `more` are retries."""
        start_s, length_s = at
        middle = start_s + length_s / 2
        bad = weather.bad.share_of(start_s, length_s) if canary and weather.bad else 0.0
        mean += more
        size = self._size(weather, start_s, length_s, mean)
        shed = weather.shed(middle)
        refused = poisson(self.rng, mean * shed) if shed else 0
        mean *= 1 - shed
        error = self._error(weather, at, bad)
        dead = dict(self._moments(weather, start_s, length_s, size)) if weather.moments else {}
        by_env = {env: poisson(self.rng, mean / size * share) for env, share in dead.items()}
        well = mean * (1 - sum(dead.values()) / size)
        alone = poisson(self.rng, well * error)
        latency = dict(self._latencies(weather, middle, well * (1 - error), bad, size))
        failed = alone + sum(by_env.values())
        requests = failed + sum(latency.values())
        spread = self._spread(start_s, requests, alone, by_env, size)
        routes = self._routes(weather, requests, failed, bad)
        if bad and weather.bad and weather.bad.rare:
            failed = sum(of.failed for of in routes.values())
            latency = _fewer(latency, requests - failed)
        timeouts = failed // 5
        warm = Counts(requests, failed - timeouts, timeouts, Histogram(latency), refused, spread, routes)
        return VersionCounts(warm)

    def _size(self, weather: Weather, start_s: float, length_s: float, mean: float) -> int:
        """How many environments that many requests keep busy, with some luck in between (Little's law)."""
        busy = mean / length_s * mean_s(weather.mix)
        size = max(1, ceil(busy + 2 * sqrt(busy)))
        while len(self.births) < size:
            self.births.append(-1e9 if self.old and start_s < 0 else start_s + self.rng.random() * length_s)
        return size

    def _error(self, weather: Weather, at: tuple[float, float], bad: float) -> float:
        base = weather.base * weather.errors(at[0] + at[1] / 2)
        if bad and weather.bad:
            base += bad * (base * (weather.bad.errors - 1) + weather.bad.extra)
        return min(0.98, weather.client + weather.outage(*at) + base)

    def _moments(self, weather: Weather, start_s: float, length_s: float, size: int) -> Iterator[tuple[int, float]]:
        """In what share of the look each environment fails all that it serves."""
        assert weather.moments
        share, shortest, longest = weather.moments
        begins = share / ((shortest + longest) / 2) * length_s
        for env in range(size):
            if self.rng.random() < begins:
                began = start_s + self.rng.random() * length_s
                self._dead[env] = (began, began + self.rng.uniform(shortest, longest))
            if env in self._dead:
                began, ends = self._dead[env]
                overlap = min(ends, start_s + length_s) - max(began, start_s)
                if overlap > 0:
                    yield env, overlap / length_s
                elif ends < start_s:
                    del self._dead[env]

    def _latencies(
        self, weather: Weather, middle: float, mean: float, bad: float, size: int
    ) -> Iterator[tuple[int, int]]:
        """Draw a histogram: environments that are young are slower."""
        found = dict[int, int]()
        times, seconds = weather.cold
        young = sum(middle - birth < seconds for birth in self.births[:size]) / size if seconds else 0.0
        wrong = weather.bad if bad else None
        usual = weather.latency(middle)
        parts = [((1 - young) * (1 - bad), usual, weather.mix), (young * (1 - bad), usual * times, weather.mix)]
        if wrong:
            mix = wrong.mix or weather.mix
            parts += [
                ((1 - young) * bad, usual * wrong.latency, mix),
                (young * bad, usual * wrong.latency * times, mix),
            ]
        for share, slower, mix in parts:
            if share > 0:
                drawn = shape(mix, round(slower * 20) / 20).draw(self.rng, mean * share)
                for number, count in drawn.items():
                    found[number] = found.get(number, 0) + count
        yield from found.items()

    def _spread(self, start_s: float, requests: int, alone: int, by_env: dict[int, int], size: int) -> Spread:
        """Say by how much the sums of squares grow, as environments report them."""
        half = int(start_s // HALF_MINUTE_S)
        if half != self._half:
            self._half, self._served, self._failed = half, 0.0, {}
        each = requests / size
        requests_more = ((self._served + each) ** 2 - self._served**2) * size
        self._served += each
        if alone <= 4 * size:
            for _ in range(alone):
                env = int(self.rng.random() * size)
                by_env[env] = by_env.get(env, 0) + 1
        else:
            for env in range(size):
                by_env[env] = by_env.get(env, 0) + poisson(self.rng, alone / size)
        failed_more = 0
        for env, count in by_env.items():
            before = self._failed.get(env, 0)
            failed_more += (before + count) ** 2 - before**2
            self._failed[env] = before + count
        return Spread(round(requests_more), failed_more)

    def _routes(self, weather: Weather, requests: int, failed: int, bad: float) -> dict[str, RouteCounts]:
        rare = min(requests, poisson(self.rng, requests * weather.rare)) if weather.rare else 0
        rest = requests - rare
        orders = round(rest * _ORDERS)
        of_orders = sum(self.rng.random() < _ORDERS for _ in range(failed)) if failed < 50 else round(failed * _ORDERS)
        of_orders = min(of_orders, orders)
        found = {
            "GET /v1/products": RouteCounts(rest - orders, min(failed - of_orders, rest - orders)),
            "POST /v1/orders": RouteCounts(orders, of_orders),
        }
        if rare:
            broken = bool(bad and weather.bad and weather.bad.rare)
            found[RARE] = RouteCounts(rare, rare if broken else 0)
        return {name: of for name, of in found.items() if of.requests}


def _fewer(latency: dict[int, int], wanted: int) -> dict[int, int]:
    """Take away what failed, from wherever it lies."""
    left = dict(latency)
    excess = sum(left.values()) - wanted
    for number in list(left):
        taken = min(left[number], max(0, excess))
        left[number] -= taken
        excess -= taken
    return {number: count for number, count in left.items() if count}
