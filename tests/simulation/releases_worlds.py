"""The worlds that releases are simulated in, and what may be wrong with a canary in each of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from math import pi, sin
from typing import NamedTuple

from tests.simulation.releases_weather import API, BIMODAL, HEAVY, Mix, Regression, Weather

Draw = Callable[[random.Random, float], Weather]
# Regressions may begin, and outages come, at any second of these.
WATCHED_S = 900


class World(NamedTuple):
    """A kind of weather; `draw` makes one release's, from random numbers and the requests a second."""

    name: str
    says: str
    draw: Draw


class Fault(NamedTuple):
    """A kind of regression; `draw` makes one release's, to a weather."""

    name: str
    says: str
    draw: Callable[[random.Random, Weather], Regression]
    late: bool = False


def _outages(share: float, *, alarms: bool = False) -> Draw:
    def draw(rng: random.Random, per_s: float) -> Weather:
        found = []
        for _ in range(rng.choice((1, 2))):
            began = rng.uniform(0, WATCHED_S)
            found.append((began, began + rng.uniform(20, 60), share))
        return Weather(per_s, outages=tuple(found), alarms=alarms)

    return draw


def _drift(rng: random.Random, per_s: float) -> Weather:
    phase, times = rng.uniform(0, 2 * pi), rng.uniform(0.3, 0.6)
    slower = rng.uniform(0.6, 2.0)

    def wave(second: float) -> float:
        return 1 + times * sin(phase + second / 1200 * pi)

    return Weather(per_s, traffic=wave, errors=wave, latency=lambda s: slower ** min(1.0, max(0.0, s / WATCHED_S)))


def _bursts(rng: random.Random, per_s: float) -> Weather:
    """Error rates vary by the minute; one minute in ten has ten points more of them, and twice the latency."""
    seed, known = rng.random(), dict[int, tuple[float, bool]]()

    def minute(second: float) -> tuple[float, bool]:
        number = int(second // 60)
        if number not in known:
            of_minute = random.Random(f"{seed}/{number}")
            known[number] = of_minute.gammavariate(2, 0.5), of_minute.random() < 0.1
        return known[number]

    return Weather(
        per_s,
        mean=0.015,
        errors=lambda second: minute(second)[0] + (20.0 if minute(second)[1] else 0.0),
        latency=lambda second: 2.0 if minute(second)[1] else 1.0,
    )


def _shed(rng: random.Random, per_s: float) -> Weather:
    began, share = rng.uniform(0, WATCHED_S / 2), rng.uniform(0.1, 0.5)
    return Weather(per_s, shed=lambda second: share if began <= second < began + 240 else 0.01)


def _resets(rng: random.Random, per_s: float) -> Weather:
    return Weather(per_s, resets=tuple([rng.uniform(0, WATCHED_S) for _ in range(3)]))


def _lag(rng: random.Random, per_s: float) -> Weather:
    return replace(_bursts(rng, per_s), lag=(rng.uniform(0, 0.4), rng.uniform(0, 0.4)))


def _same(**settings: object) -> Draw:
    return lambda _, per_s: replace(Weather(per_s), **settings)  # type: ignore[arg-type]  # names of Weather's own


WORLDS = (
    World("steady", "0.5 % of requests fail, each by itself; p50 40 ms, p95 107 ms", _same()),
    World("no errors", "nothing fails", _same(base=0.0)),
    World("2 % errors", "2 % of requests fail", _same(base=0.02)),
    World("outage, half fails", "one or two outages of 20 to 60 s: half of both versions' fails", _outages(0.5)),
    World("outage, all fails", "the same, and everything fails", _outages(0.99)),
    World("one bad client, 15 %", "15 % of the traffic always fails", _same(client=0.15)),
    World("one bad client, 50 %", "half of the traffic always fails", _same(client=0.5)),
    World("bimodal latency", "hits of 5 ms, 4.5 % misses of 200 ms", _same(mix=BIMODAL)),
    World("heavy tails", "a tenth of the requests has a median of 300 ms and a p95 of 2.5 s", _same(mix=HEAVY)),
    World("cold caches, x2", "an environment is twice as slow in its first 60 s", _same(cold=(2.0, 60.0))),
    World("cold caches, x3", "three times as slow in its first 30 s", _same(cold=(3.0, 30.0))),
    World(
        "clustered failures",
        "environments fail wholly for 10 to 30 s, for 0.4 % of their time; 0.1 % fail besides",
        _same(base=0.001, moments=(0.004, 10.0, 30.0)),
    ),
    World("drift", "traffic, errors and latency rise and fall by as much as half, or double", _drift),
    World("shared bursts", "errors vary by the minute; one in ten has ten points more, and twice the latency", _bursts),
    World("retries", "each failed request is tried twice more; 2 % fail", _same(base=0.02, retries=2)),
    World("shedding", "10 to 50 % is shed for four minutes, 1 % else", _shed),
    World("reports lost", "a tenth of the reports is lost, and 3 % are counted twice", _same(lost=0.1, twice=0.03)),
    World("Redis resets", "the counts of three looks are lost", _resets),
    World("clocks and lag", "up to 40 % of a version's counts arrive a look later, in bursts", _lag),
    World("alarms", "outages as above, and CloudWatch's alarm is an input", _outages(0.5, alarms=True)),
)


def _p95_times_three(_: random.Random, weather: Weather) -> Regression:
    """Such that p95 is three times stable's, and the median hardly more: an eighth of the requests is slower."""
    if weather.mix is not API:
        return Regression(latency=3.0)
    return Regression(mix=slower_tail(weather.mix))


def slower_tail(mix: Mix) -> Mix:
    """Have an eighth of a mixture's requests be 6.7 times as slow, which makes API's p95 three times what it was."""
    return (
        *[(share * 0.875, median, sigma) for share, median, sigma in mix],
        *[(share * 0.125, median * 6.7, sigma) for share, median, sigma in mix],
    )


def _errors(times: float, weather: Weather) -> Regression:
    """So many times stable's mean, the rise constant; where stable has no errors, 5 %."""
    return Regression(extra=min(0.9, (times - 1) * weather.usual) if weather.usual else 0.05)


def _late(times: float, rng: random.Random, weather: Weather) -> Regression:
    return _errors(times, weather)._replace(from_s=rng.uniform(0, WATCHED_S))


FAULTS = (
    Fault("errors x4", "constant; where stable has none, 5 % fail", lambda _, weather: _errors(4, weather)),
    Fault("p95 x3", "constant; one in eight is slower, or all where latency isn't lognormal", _p95_times_three),
    Fault("late, x20", "errors x20 from any second of the first 15 minutes on", lambda rng, weather: _late(
        20, rng, weather), late=True),
    Fault("late, p95 x3", "from any second of the first 15 minutes on", lambda rng, weather: _p95_times_three(
        rng, weather)._replace(from_s=rng.uniform(0, WATCHED_S)), late=True),
    Fault("intermittent", "20 s of 20 % more errors every 200 s", lambda rng, _: Regression(
        extra=0.2, every_s=200.0, lasts_s=20.0, from_s=rng.uniform(0, 200)), late=True),
    Fault("from 400 s on", "errors x20 from then on, as leaks and pools have it", lambda _, weather: _errors(
        20, weather)._replace(from_s=400.0), late=True),
)  # fmt: skip


def _rare(_: random.Random, per_s: float) -> Weather:
    return Weather(per_s, rare=0.003)


# Regressions of worlds of their own.
SPECIAL = (
    (World("a rare route", "a route has 0.3 % of the traffic", _rare), Fault(
        "it fails wholly", "all of its requests", lambda _, __: Regression(rare=True))),
    (World("bimodal, misses x4", "hits of 5 ms, 4.5 % misses of 200 ms", _same(mix=BIMODAL)), Fault(
        "18 % misses", "four times as many", lambda _, __: Regression(mix=((0.82, 5.0, 0.2), (0.18, 200.0, 0.3))))),
    (World("0.01 % errors", "hardly anything fails", _same(base=0.0001)), Fault(
        "errors x10", "0.1 %", lambda _, __: Regression(errors=10.0))),
)  # fmt: skip
