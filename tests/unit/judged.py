"""Counts and time buckets for the judge's tests."""

from functions.rollout.judge import Counts, Plan, Step, TimeBucket, VersionCounts
from functions.rollout.judge.histogram import Histogram, bin_of

ONE_STEP = Plan(steps=(Step(50, least_s=60, most_s=600, unproven="top_up"),))

NONE = Counts()


def counts(requests, failed=0, timeouts=0, latency_us=20_000):
    answered = requests - failed - timeouts
    return Counts(requests, failed, timeouts, Histogram({bin_of(latency_us): answered} if answered else {}))


def bucket(canary, stable, start_s=0, step=0, cold=NONE):
    return TimeBucket(start_s, step, 50, VersionCounts(stable), VersionCounts(canary, cold))
