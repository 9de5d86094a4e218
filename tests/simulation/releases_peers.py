"""What others judge a canary by, as their documentation shows it: three rules, on the same streams.

- Argo-like: an AnalysisTemplate measures once a minute whether at least 95 % of the canary's requests succeed, and
  whether its p95 is at most twice the usual one, which whoever wrote it knows; three measurements that fail abort.
- Flagger-like: the weight rises by 10 points a minute to 50; a minute in which less than 99 % succeed, or whose p99 is
  beyond three times the usual one, stops the rise; the fifth one rolls back.
- Kayenta-like: after 15 minutes at 10 % each metric's values by the minute (share of failures, p50, p95) are compared
  with stable's by a Mann-Whitney test at 98 %, with a tolerance of a quarter of stable's mean; any metric that is
  higher fails the release.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erfc, sqrt
from statistics import fmean

from functions.rollout.judge import Counts
from tests.simulation.releases_lead import Judged
from tests.simulation.releases_stream import Stream

MINUTE_S = 60
ARGO_SHARE, ARGO_P95, ARGO_FAILURES, ARGO_STEP_S = 0.95, 2.0, 3, 300
FLAGGER_SHARE, FLAGGER_P99, FLAGGER_FAILURES, FLAGGER_MOST_S = 0.99, 3.0, 5, 1800
KAYENTA_S, KAYENTA_LEVEL, KAYENTA_TOLERANCE, KAYENTA_PERCENT = 900, 0.01, 0.25, 10.0


def argo(stream: Stream) -> Judged:
    """Lead a release by 1, 10 and 50 %, five minutes each."""
    usual_us = _usual_us(stream, 0.95)
    failures = requests = now_s = 0
    for step, percent in enumerate((1.0, 10.0, 50.0)):
        for _ in range(ARGO_STEP_S // MINUTE_S):
            now = stream.look(step, percent, now_s, MINUTE_S).canary.warm
            now_s, requests = now_s + MINUTE_S, requests + now.requests
            failures += _below(now, ARGO_SHARE) or _slower(now, 0.95, ARGO_P95 * usual_us)
            if failures >= ARGO_FAILURES:
                return Judged("fail", requests, now_s, now_s)
    return Judged("pass", requests, now_s, now_s)


def flagger(stream: Stream) -> Judged:
    """Raise the weight by the minute, as long as all is well."""
    usual_us = _usual_us(stream, 0.99)
    failures = requests = now_s = step = 0
    while now_s < FLAGGER_MOST_S:
        now = stream.look(step, 10.0 * (step + 1), now_s, MINUTE_S).canary.warm
        now_s, requests = now_s + MINUTE_S, requests + now.requests
        if _below(now, FLAGGER_SHARE) or _slower(now, 0.99, FLAGGER_P99 * usual_us):
            failures += 1
        elif now.requests:
            step += 1
        if failures >= FLAGGER_FAILURES:
            return Judged("fail", requests, now_s, now_s)
        if step >= 5:
            return Judged("pass", requests, now_s, now_s)
    return Judged("fail", requests, now_s, now_s)  # its progress deadline is over


def kayenta(stream: Stream) -> Judged:
    """Compare the values of 15 minutes, once."""
    looks = [stream.look(0, KAYENTA_PERCENT, at, MINUTE_S) for at in range(0, KAYENTA_S, MINUTE_S)]
    canary, stable = [look.canary.warm for look in looks], [look.stable.warm for look in looks]
    figures: tuple[Callable[[Counts], float | None], ...] = (
        _failed,
        lambda counts: _quantile(counts, 0.5),
        lambda counts: _quantile(counts, 0.95),
    )
    higher = any(_is_higher(_values(canary, figure), _values(stable, figure)) for figure in figures)
    return Judged("fail" if higher else "pass", sum(counts.requests for counts in canary), KAYENTA_S, KAYENTA_S)


RULES: dict[str, Callable[[Stream], Judged]] = {"Argo-like": argo, "Flagger-like": flagger, "Kayenta-like": kayenta}


def _usual_us(stream: Stream, quantile: float) -> float:
    """Whoever set a threshold knew it."""
    return float(stream.past().stable.warm.latency.quantile_us(quantile))


def _below(counts: Counts, share: float) -> bool:
    return bool(counts.requests) and counts.failed > (1 - share) * counts.requests


def _slower(counts: Counts, quantile: float, most_us: float) -> bool:
    return bool(counts.latency.counts) and counts.latency.quantile_us(quantile) > most_us


def _failed(counts: Counts) -> float | None:
    return counts.failed / counts.requests if counts.requests else None


def _quantile(counts: Counts, quantile: float) -> float | None:
    return counts.latency.quantile_us(quantile) if counts.latency.counts else None


def _values(minutes: Sequence[Counts], figure: Callable[[Counts], float | None]) -> list[float]:
    return [value for value in map(figure, minutes) if value is not None]


def _is_higher(canary: Sequence[float], stable: Sequence[float]) -> bool:
    """Test by ranks, one-sided, whether the canary's values are beyond stable's and the tolerance."""
    if len(canary) < 2 or len(stable) < 2:
        return False
    shift = KAYENTA_TOLERANCE * fmean(stable)
    n, m = len(canary), len(stable)
    wins = sum((value - shift > other) + (value - shift == other) / 2 for value in canary for other in stable)
    spread = sqrt(n * m * (n + m + 1) / 12)
    return erfc((wins - n * m / 2) / spread / sqrt(2)) / 2 < KAYENTA_LEVEL
