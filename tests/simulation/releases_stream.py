"""What the judge would see of a release, look by look, whatever weights it gives."""

from __future__ import annotations

import random
from collections import deque

from functions.rollout.judge import Counts, TimeBucket, VersionCounts
from tests.simulation.releases_draws import poisson
from tests.simulation.releases_fleet import Fleet
from tests.simulation.releases_weather import Weather
from tidegate.outcomes.histogram import Histogram

PAST_S = 600
NOTHING = VersionCounts()
# infra/stages.py, Thresholds: the share of a minute's requests that fail, in three minutes of five.
_ALARM_SHARE, _ALARM_REQUESTS, _ALARM_MINUTES, _ALARM_OF = 0.02, 50, 3, 5
ALARM = "ServerErrors"


class Stream:
    """Both versions of one release.

    Args:
        weather: what happens.
        seed: of everything that is drawn.
    """

    def __init__(self, weather: Weather, seed: str) -> None:
        self.weather = weather
        self.rng = random.Random(seed)
        self._stable, self._canary = Fleet(self.rng, old=True), Fleet(self.rng, old=False)
        self._again = 0.0  # what clients try once more
        self._late: tuple[VersionCounts, VersionCounts] = (NOTHING, NOTHING)
        self._minutes: deque[tuple[int, int]] = deque(maxlen=_ALARM_OF)
        self._minute, self._of_minute = -10_000, (0, 0)

    def past(self) -> TimeBucket:
        """What stable did before the release."""
        at = (-PAST_S, PAST_S)
        counts = self._stable.serve(self.weather, at, self.weather.per_s * PAST_S, canary=False)
        return TimeBucket(-PAST_S, 0, 0.0, counts, NOTHING)

    def look(self, step: int, percent: float, start_s: int, length_s: int) -> TimeBucket:
        """Let some time pass and return what arrived of its counts."""
        weather, at = self.weather, (start_s, length_s)
        mean = weather.per_s * length_s * weather.traffic(start_s + length_s / 2)
        canary = self._canary.serve(weather, at, mean * percent / 100, canary=True, more=self._again * percent / 100)
        rest = 1 - percent / 100
        stable = self._stable.serve(weather, at, mean * rest, canary=False, more=self._again * rest)
        failed = stable.warm.failed + canary.warm.failed
        self._again = failed * (1 - 1 / (1 + weather.retries)) if weather.retries else 0.0
        self._alarmed(start_s, failed, stable.warm.requests + canary.warm.requests)
        told = self._reported(stable, start_s, length_s), self._reported(canary, start_s, length_s)
        return TimeBucket(start_s, step, percent, *self._in_time(*told))

    def replay(self, requests: int, start_s: int, length_s: int, bucket: TimeBucket) -> TimeBucket:
        """Send recorded requests to both versions, and count them to a look."""
        found = []
        for fleet, canary in ((self._stable, False), (self._canary, True)):
            size = len(fleet.births)
            counts = fleet.serve(self.weather, (start_s, length_s), requests, canary=canary).warm
            del fleet.births[max(size, 1) :]
            found.append(counts._replace(refused=0))
        stable, canary_counts = found
        return bucket._replace(
            stable=bucket.stable._replace(warm=bucket.stable.warm._replace(replayed=stable)),
            canary=bucket.canary._replace(warm=bucket.canary.warm._replace(replayed=canary_counts)),
        )

    @property
    def alarms(self) -> tuple[str, ...]:
        """Which alarms ring."""
        if not self.weather.alarms:
            return ()
        ill = sum(
            requests >= _ALARM_REQUESTS and failed >= _ALARM_SHARE * requests for failed, requests in self._minutes
        )
        return (ALARM,) if ill >= _ALARM_MINUTES else ()

    def _alarmed(self, start_s: int, failed: int, requests: int) -> None:
        minute = start_s // 60
        if minute != self._minute:
            self._minutes.append(self._of_minute)
            self._minute, self._of_minute = minute, (0, 0)
        before = self._of_minute
        self._of_minute = before[0] + failed, before[1] + requests

    def _reported(self, counts: VersionCounts, start_s: int, length_s: int) -> VersionCounts:
        """Lose some environments' reports, hear some twice, and all but forget when Redis comes back empty."""
        weather = self.weather
        if any(start_s <= reset < start_s + length_s for reset in weather.resets):
            return NOTHING
        if not weather.lost and not weather.twice:
            return counts
        kept = VersionCounts(_thinned(self.rng, counts.warm, 1 - weather.lost * self.rng.random() * 2))
        again = VersionCounts(_thinned(self.rng, counts.warm, weather.twice * self.rng.random() * 2))
        return kept.plus(again)

    def _in_time(self, stable: VersionCounts, canary: VersionCounts) -> tuple[VersionCounts, VersionCounts]:
        lag = self.weather.lag
        if not any(lag):
            return stable, canary
        arrived, late = [], []
        for counts, before, share in zip((stable, canary), self._late, lag, strict=True):
            held = VersionCounts(_thinned(self.rng, counts.warm, share))
            late.append(held)
            arrived.append(VersionCounts(_less(counts.warm, held.warm)).plus(before))
        self._late = late[0], late[1]
        return arrived[0], arrived[1]


def _thinned(rng: random.Random, counts: Counts, share: float) -> Counts:
    """Take a share of what was counted."""
    latency = {number: min(count, poisson(rng, count * share)) for number, count in counts.latency.counts.items()}
    latency = {number: count for number, count in latency.items() if count}
    errors = min(counts.server_errors, poisson(rng, counts.server_errors * share))
    timeouts = min(counts.timeouts, poisson(rng, counts.timeouts * share))
    return Counts(sum(latency.values()) + errors + timeouts, errors, timeouts, Histogram(latency))


def _less(counts: Counts, taken: Counts) -> Counts:
    latency = {
        number: count - taken.latency.counts.get(number, 0)
        for number, count in counts.latency.counts.items()
        if count > taken.latency.counts.get(number, 0)
    }
    errors, timeouts = counts.server_errors - taken.server_errors, counts.timeouts - taken.timeouts
    return counts._replace(
        requests=errors + timeouts + sum(latency.values()),
        server_errors=errors,
        timeouts=timeouts,
        latency=Histogram(latency),
    )
