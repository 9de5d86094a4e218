"""The judge in what operators live in: shared outages, caches, clusters, rare routes, refusals, few requests."""

import pytest

from functions.rollout.judge import (
    Counts,
    Outage,
    Plan,
    RouteCounts,
    Spread,
    Step,
    TimeBucket,
    VersionCounts,
    decide,
    judge,
    replays,
    standing_still,
    weigh,
)
from functions.rollout.judge.histogram import Histogram, bin_of
from functions.rollout.judge.spread import overdispersion
from tests.unit.judged import NONE, ONE_STEP, bucket, counts


def test_what_stable_suffers_too_makes_the_step_s_time_stand_still():
    calm = [bucket(counts(100), counts(100), 5 * n) for n in range(4)]
    outage = [bucket(counts(100, failed=60), counts(100, failed=50), 20 + 5 * n) for n in range(8)]
    after_it = [bucket(counts(100), counts(100), 60 + 5 * n) for n in range(20)]
    known = weigh(ONE_STEP, calm + outage)
    assert standing_still(ONE_STEP, known, 0).startswith("Stable itself fails 50% of its requests")
    assert decide(ONE_STEP, known, 0, 60) is None
    assert judge(ONE_STEP, calm + outage + after_it[:7], 0, 95) is None
    verdict = judge(ONE_STEP, calm + outage + after_it, 0, 160)
    assert (verdict.outcome, verdict.waited_s) == ("pass", 40)
    assert verdict.reasons[-1] == "Of this step 40 s weren't counted: stable itself failed up to 50% of its requests."
    assert standing_still(ONE_STEP, weigh(ONE_STEP, calm + outage + after_it), 0) is None


def test_nobody_waits_for_ever_for_an_outage_to_end():
    lasting = [bucket(counts(100, failed=50), counts(100, failed=50), 5 * n) for n in range(200)]
    verdict = judge(ONE_STEP, [bucket(counts(100), counts(100), -5), *lasting], 0, 1000)
    assert verdict.waited_s <= Outage().most_s + 5


def test_what_always_fails_is_usual_and_no_outage():
    client = [bucket(counts(100, failed=15), counts(100, failed=15), 5 * n) for n in range(120)]
    past = bucket(Counts(), counts(1000, failed=150), -600)._replace(percent=0)
    verdict = judge(ONE_STEP, [past, *client], 0, 600)
    assert (verdict.outcome, verdict.waited_s) == ("pass", 0)


def test_an_alarm_may_ring_for_what_both_versions_have_just_shared():
    calm = [bucket(counts(100), counts(100), 5 * n) for n in range(4)]
    outage = [bucket(counts(100, failed=50), counts(100, failed=50), 20 + 5 * n) for n in range(4)]
    after_it = [bucket(counts(100), counts(100), 40 + 5 * n) for n in range(120)]
    for seconds, outcome in ((20, None), (200, None), (420, "fail")):
        seen = (calm + outage + after_it)[: 4 + 4 + seconds // 5]
        verdict = judge(ONE_STEP, seen, 0, 40 + seconds, alarms=("ServerErrors",))
        assert (verdict and verdict.outcome) == outcome
    assert judge(ONE_STEP, calm, 0, 20, alarms=("ServerErrors",)).outcome == "fail"


def bimodal(requests, misses=0.045):
    slow = round(requests * misses)
    latency = Histogram({bin_of(5_000): requests - slow, bin_of(200_000): slow})
    return Counts(requests, 0, 0, latency)


def test_misses_of_a_cache_that_both_versions_have_are_no_regression():
    past = bucket(Counts(), bimodal(10_000), -600)._replace(percent=0)
    alike = [bucket(bimodal(1000), bimodal(1000), 5 * n) for n in range(60)]
    assert judge(ONE_STEP, [past, *alike], 0, 300).outcome == "pass"
    more = [bucket(bimodal(1000, 0.18), bimodal(1000), 5 * n) for n in range(100)]
    assert judge(ONE_STEP, [past, *more], 0, 500).outcome == "fail"


def test_one_environment_s_bad_moment_counts_for_about_one_failure():
    one_of_ten = Spread(10 * 10**2, 10**2)
    assert overdispersion(10, 100, one_of_ten) == pytest.approx(17), "9, of which what exceeds 1 counts twice"
    all_alike = Spread(10 * 10**2, 10 * 1)
    assert overdispersion(10, 100, all_alike) == 1
    assert overdispersion(10, 100, Spread()) == 1
    assert overdispersion(10, 100, Spread(100**2, 10**2)) == 1, "one environment alone tells nothing"
    moments = [bucket(counts(100, failed=10)._replace(spread=one_of_ten), counts(100), 5 * n) for n in range(6)]
    alike = [bucket(counts(100, failed=10)._replace(spread=all_alike), counts(100), 5 * n) for n in range(6)]
    calm = [bucket(counts(100), counts(100), 30 + 5 * n) for n in range(2)]
    assert judge(ONE_STEP, moments + calm, 0, 40) is None
    assert judge(ONE_STEP, [*alike, *[each._replace(start_s=30 + 5 * n) for n, each in enumerate(alike)]], 0, 60)


def test_refusals_are_no_failures_and_compared_by_themselves():
    shed = counts(100)._replace(refused=60)
    both = [bucket(shed, shed, 5 * n) for n in range(60)]
    assert judge(ONE_STEP, both, 0, 300).outcome == "pass"
    alone = [bucket(shed, counts(100), 5 * n) for n in range(60)]
    verdict = judge(ONE_STEP, alone, 0, 300)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("The canary's refusals (shed, or limited) are worse than tolerated")


def by_route(requests, rare, rare_failed=0):
    routes = {"GET /often": RouteCounts(requests), "GET /rarely": RouteCounts(rare, rare_failed)}
    return counts(requests + rare, failed=rare_failed)._replace(routes=routes)


def test_a_rare_route_that_fails_wholly_is_found_and_named():
    past = bucket(Counts(), by_route(20_000, 60), -600)._replace(percent=0)
    broken = [bucket(by_route(1000, 3, 3), by_route(1000, 3), 5 * n) for n in range(60)]
    verdict = judge(ONE_STEP, [past, *broken], 0, 300)
    assert verdict.outcome == "fail"
    assert "errors are worse than tolerated (1.5 times stable's) in GET /rarely: canary" in verdict.reasons[-1]
    shared = [bucket(by_route(1000, 3, 3), by_route(1000, 3, 3), 5 * n) for n in range(60)]
    assert judge(ONE_STEP, [past, *shared], 0, 300).outcome == "pass"


def test_a_rarely_called_route_that_answers_nothing_is_evidence():
    past = bucket(Counts(), by_route(20_000, 60), -600)._replace(percent=0)
    calls = [
        bucket(by_route(1000, int(not n % 6), int(not n % 6)), by_route(1000, int(not n % 6)), 5 * n)
        for n in range(100)
    ]
    assert judge(ONE_STEP, [past, *calls], 0, 500).outcome == "fail"
    once = [bucket(by_route(1000, n % 100 == 0, n % 100 == 0), by_route(1000, 1), 5 * n) for n in range(60)]
    assert judge(ONE_STEP, [past, *once], 0, 300).outcome == "pass"


def test_many_routes_are_a_bounded_number_of_strata():
    routes = {f"GET /{number}": RouteCounts(30) for number in range(100)}
    many = counts(3000)._replace(routes=routes)
    past = bucket(Counts(), many, -600)._replace(percent=0)
    known = weigh(ONE_STEP, [past, *[bucket(many, many, 5 * n) for n in range(3)]])
    assert len(known.routes.metrics) == 16


def replayed(requests, failed=0, latency_us=20_000):
    return VersionCounts(Counts(replayed=counts(requests, failed, latency_us=latency_us)))


def test_replayed_requests_prove_what_clients_are_too_few_for():
    few = [TimeBucket(30 * n, 0, 50, VersionCounts(counts(1)), VersionCounts(counts(1))) for n in range(10)]
    assert replays(ONE_STEP, weigh(ONE_STEP, few), 0, 300) > 500
    sent = [each._replace(stable=replayed(400), canary=replayed(400)) for each in few]
    assert judge(ONE_STEP, sent, 0, 300).outcome == "pass"
    assert replays(ONE_STEP, weigh(ONE_STEP, sent), 0, 300) == 0
    bad = [each._replace(canary=replayed(400, failed=12)) for each in sent]
    assert judge(ONE_STEP, bad, 0, 300).outcome == "fail"
    slow = [each._replace(canary=replayed(400, latency_us=90_000)) for each in sent]
    assert judge(ONE_STEP, slow, 0, 300).outcome == "fail"


def test_where_clients_send_enough_nothing_is_replayed():
    many = [bucket(counts(500), counts(500), 5 * n) for n in range(4)]
    assert replays(ONE_STEP, weigh(ONE_STEP, many), 0, 20) == 0


def test_buckets_in_which_one_version_had_no_request_are_merged():
    apart = [bucket(counts(10, failed=5) if n % 2 else NONE, NONE if n % 2 else counts(10), 30 * n) for n in range(40)]
    assert judge(ONE_STEP, apart, 0, 590).outcome == "fail"


def test_where_a_bake_follows_what_looks_well_goes_on_and_else_it_holds():
    bakes = Plan(steps=(Step(50, 60, 600, "hold"), Step(75, 60, 60, "advance")))
    alike = [bucket(counts(30, failed=n % 30 == 0), counts(30, failed=n % 30 == 15), 5 * n) for n in range(120)]
    alone = judge(bakes._replace(steps=bakes.steps[:1]), alike, 0, 600)
    assert alone.outcome == judge(bakes, alike, 0, 600).outcome == "pass"
    little = [bucket(counts(10), counts(10), 5 * n) for n in range(90)]
    assert judge(bakes, little, 0, 600).outcome == "pass"
    assert judge(bakes._replace(steps=bakes.steps[:1]), little, 0, 600).outcome == "inconclusive"
    none = [bucket(counts(1), counts(1), 5 * n) for n in range(20)]
    assert judge(bakes, none, 0, 600).outcome == "inconclusive"


# Metrics of CloudWatch: a minute's counts at once, and nothing of environments or cold starts.
BY_METRICS = ONE_STEP._replace(stretch_s=60)


def minutes(*canary):
    return [bucket(each, counts(600), 60 * n) for n, each in enumerate(canary)]


def test_three_bad_minutes_of_metrics_convict_and_two_do_not():
    bad = counts(300, failed=150)
    assert judge(BY_METRICS, minutes(bad, bad), 0, 130) is None
    assert judge(BY_METRICS, minutes(bad, bad, bad), 0, 190).outcome == "fail"


def test_one_environment_s_moment_lies_in_two_minutes_and_convicts_nobody():
    whole = counts(300, failed=300)
    later = [counts(300)] * 8
    verdict = judge(BY_METRICS, minutes(counts(300), whole, whole, *later), 0, 600)
    assert verdict.outcome != "fail"
