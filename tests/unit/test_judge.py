"""The judge: its bets are fair, its verdicts follow from them, and its words say why."""

from math import exp, inf, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.rollout.judge import (
    Budget,
    Counts,
    Plan,
    Spread,
    VersionCounts,
    after,
    decide,
    harm,
    interval,
    judge,
    nothing,
    safety,
    weigh,
)
from functions.rollout.judge.evidence import rules_of
from functions.rollout.judge.interval import of_quantile, of_share
from functions.rollout.judge.spread import MOST_OF_ONE
from functions.rollout.judge.wager import RISKED, Table, Wealth, log_sum
from functions.rollout.judge.wanting import METRICS
from tests.simulation.releases_draws import poisson
from tests.unit.judged import ONE_STEP, bucket, counts
from tidegate.outcomes.histogram import Histogram


def binomial(n, p):
    """All outcomes and their chances."""
    chance = (1 - p) ** n
    for k in range(n + 1):
        yield k, chance
        chance *= (n - k) / (k + 1) * p / (1 - p)


def expected(gains, bets, canary, stable, p, s):
    """What each bet is expected to make of 1, exactly: over all outcomes of two independent versions."""
    sums = [0.0] * bets
    for hits, chance in binomial(canary, p):
        for stable_hits, other in binomial(stable, s):
            for number, gain in enumerate(gains(Table(hits, canary, stable_hits, stable))):
                sums[number] += chance * other * exp(gain)
    return sums


sizes = st.integers(0, 14)
shares = st.floats(0, 0.95)


@given(sizes, sizes, shares, st.floats(1, 3), st.floats(0, 0.3), st.floats(0, 1))
def test_no_bet_on_harm_is_expected_to_grow_while_the_canary_is_tolerable(n, m, s, ratio, extra, part):
    p = min(0.95, part * ratio * (s + extra))
    grown = expected(lambda table: harm.gains(table, ratio, extra), len(harm.RATIOS), n, m, p, s)
    assert max(grown) <= 1 + 1e-9


@given(sizes, sizes, st.floats(0, 0.4), st.floats(1.1, 5), st.floats(1, 3))
def test_no_bet_on_safety_is_expected_to_grow_while_the_canary_regresses(n, m, s, ratio, beyond):
    p = min(0.95, beyond * ratio * s)
    if p < ratio * s:  # no share is large enough to be a regression
        return
    grown = expected(lambda table: safety.comparing(table, ratio), len(safety.RATIOS), n, m, p, s)
    assert max(grown) <= 1 + 1e-9


@given(sizes, st.floats(0.001, 0.5), st.floats(1, 1.8))
def test_nor_is_one_on_the_canary_alone(n, least, beyond):
    grown = expected(lambda table: safety.alone(table, least), len(safety.SHARES), n, 0, least * beyond, 0)
    assert max(grown) <= 1 + 1e-9


@given(st.integers(1, 500), st.integers(1, 500))
def test_no_stretch_gains_more_than_its_most(n, m):
    begun = Wealth.of(len(harm.STAKES)).staked(harm.STAKES, 1)
    after = begun.after(harm.gains(Table(n, n, 0, m), 1.5, 0), harm.STAKES, MOST_OF_ONE)
    assert after.log <= MOST_OF_ONE + 1e-9


@given(st.lists(st.floats(-40, 40), min_size=len(harm.STAKES), max_size=len(harm.STAKES)), st.floats(0.01, 1))
def test_a_stretch_multiplies_no_part_by_more_than_the_best_bet(gains, part):
    begun = Wealth.of(len(harm.STAKES)).staked(harm.STAKES, part)
    assert begun.log == pytest.approx(0, abs=1e-9)
    after = begun.after(gains, harm.STAKES, inf)
    assert min(*gains, 0) - 1e-9 <= after.log <= max(*gains, 0) + 1e-9


def test_what_risks_a_share_loses_no_more_than_that_in_a_quiet_stretch():
    wealth = Wealth.of(1).staked((1.0,), 1)
    for _ in range(10):
        wealth = wealth.after([-1000.0], (1.0,), inf)
    assert wealth.log == pytest.approx(log_sum(log(0.25) + 10 * log(1 - risked) for risked in RISKED))


@pytest.mark.parametrize("table", [Table(3, 9, 0, 0), Table(0, 0, 4, 9)])
def test_a_bucket_with_one_version_alone_compares_nothing(table):
    assert set(harm.gains(table, 1.5, 0.01)) | set(safety.comparing(table, 4)) == {0.0}


def test_ever_is_within_the_budget_though_one_looks_after_every_bucket():
    """At the very edge of what is tolerated, where the bets are fairest: Ville's inequality, seen."""
    rng, budget = Random(11), 0.1
    crossed = 0
    for _ in range(300):
        wealth = Wealth.of(len(harm.STAKES)).staked(harm.STAKES, 0.5)
        for number in range(60):
            share = rng.choice([0.001, 0.02, 0.2])
            canary, stable = 1 + poisson(rng, 8), 1 + poisson(rng, 40)
            hits = sum(rng.random() < 1.5 * share for _ in range(canary))
            others = sum(rng.random() < share for _ in range(stable))
            wealth = wealth.after(harm.gains(Table(hits, canary, others, stable), 1.5, 0), harm.STAKES, log(200))
            if number % 20 == 0:
                wealth = wealth.staked(harm.STAKES, 0.5)
            if wealth.log >= -log(budget):
                crossed += 1
                break
    assert crossed / 300 <= budget


def test_the_stakes_are_one_unit():
    for stakes in (harm.STAKES, safety.STAKES):
        assert sum(stakes) == pytest.approx(1)
    assert safety.wealth((0.0,) * len(safety.STAKES)) == pytest.approx(0)
    parts = Budget().parts
    assert sum(parts) == pytest.approx(1)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6), st.integers(1, 3))
def test_what_waits_is_untouched_by_what_was_lost_before(losses, later):
    wealth = Wealth.of(1).staked((1.0,), 0.5)
    for loss in losses:
        wealth = wealth.after([-abs(loss)], (1.0,), inf)
    gained = wealth.staked((1.0,), 1 / later).after([2.0], (1.0,), inf)
    assert gained.log >= log(0.5 * 0.5 / later) + 2.0 - 1e-9


def test_sums_of_logarithms_neither_overflow_nor_need_a_finite_part():
    assert log_sum([1000.0, 1000.0]) == pytest.approx(1000 + log(2))
    assert log_sum([-inf, -inf]) == -inf


def steady(plan, canary, stable, buckets):
    return judge(plan, [bucket(canary, stable, 5 * n) for n in range(buckets)], 0, 5.0 * buckets)


def test_a_healthy_canary_passes_early_but_not_before_the_least_time():
    healthy = counts(100), counts(100)
    assert steady(ONE_STEP, *healthy, 11) is None
    verdict = steady(ONE_STEP, *healthy, 20)
    assert verdict.outcome == "pass"
    assert verdict.then is None
    assert len(verdict.reasons) == 3
    assert "no regression (4 times stable's): canary 0.00%" in verdict.reasons[0]


def test_a_proven_canary_waits_for_the_least_time() -> None:
    patient = ONE_STEP._replace(steps=(ONE_STEP.steps[0]._replace(least_s=300),))
    healthy = counts(100), counts(100)
    assert steady(ONE_STEP, *healthy, 20).outcome == "pass"
    assert steady(patient, *healthy, 20) is None


def test_failing_requests_fail_it_before_its_time_is_over():
    failing = counts(100, failed=4, timeouts=1), counts(100)
    assert steady(ONE_STEP, *failing, 12) is None, "one environment's bad moment may look so"
    verdict = steady(ONE_STEP, *failing, 40)
    assert verdict.outcome == "fail"
    assert verdict.findings[0].failed
    assert [finding.failed for finding in verdict.findings[1:]] == [False, False]
    assert verdict.reasons[0].startswith("The canary's errors are worse than tolerated (1.5 times stable's): canary 5")


def test_where_several_environments_fail_alike_it_fails_at_once():
    spread = Spread(100 * 100 // 10, 25 // 10)  # ten environments
    failing = counts(100, failed=4, timeouts=1)._replace(spread=spread)
    assert steady(ONE_STEP, failing, counts(100), 10).outcome == "fail"


def test_slow_ones_do_too_once_the_step_s_first_minute_is_over():
    before = [bucket(Counts(), counts(100), -5)._replace(percent=0)]
    slow = [bucket(counts(100, latency_us=80_000), counts(100), 5 * n) for n in range(60)]
    assert judge(ONE_STEP, before + slow[:12], 0, 60) is None
    verdict = judge(ONE_STEP, before + slow, 0, 300)
    assert verdict.outcome == "fail"
    assert [finding.metric for finding in verdict.findings if finding.failed] == ["p50", "p95"]
    assert "canary 79.9 ms" in verdict.reasons[0]


def test_caches_that_are_cold_when_a_step_begins_harm_nobody():
    before = [bucket(Counts(), counts(100), -5)._replace(percent=0)]
    cold = [bucket(counts(100, latency_us=60_000), counts(100), 5 * n) for n in range(12)]
    warm = [bucket(counts(100), counts(100), 60 + 5 * n) for n in range(20)]
    assert judge(ONE_STEP, before + cold + warm, 0, 160).outcome == "pass"


def test_requests_that_are_slow_in_both_versions_are_no_evidence():
    usual = [bucket(counts(100), counts(100), 5 * n) for n in range(3)]
    both = [bucket(counts(100, latency_us=90_000), counts(100, latency_us=90_000), 15 + 5 * n) for n in range(40)]
    known = weigh(ONE_STEP, usual + both)
    rules = rules_of(ONE_STEP)
    assert not any(known.against(rules, metric) > 0 for metric in METRICS)


def test_microseconds_of_difference_harm_nobody():
    quick = [bucket(counts(100, latency_us=900), counts(100, latency_us=200), 5 * n) for n in range(40)]
    assert judge(ONE_STEP, quick, 0, 200).outcome == "pass"


def test_too_few_requests_are_inconclusive_and_it_says_how_many_are_wanted():
    verdict = steady(ONE_STEP, counts(2), counts(2), 120)
    assert (verdict.outcome, verdict.then) == ("inconclusive", "top_up")
    # 0.4 % is ruled out by about 3 / 0.004 requests without an error; 240 were seen.
    assert 600 < verdict.requests_wanted < 1500
    assert verdict.reasons[0].startswith("There were too few requests to tell about the errors")


def test_no_request_at_all_is_inconclusive_too():
    verdict = judge(ONE_STEP, [], 0, 600)
    assert verdict.outcome == "inconclusive"
    assert verdict.requests_wanted is None
    assert "canary no request" in verdict.reasons[0]


def test_the_wanted_requests_are_about_those_that_prove_it():
    first = steady(ONE_STEP, counts(2), counts(2), 120)
    enough = 120 + first.requests_wanted * 1.02 / 2
    assert steady(ONE_STEP, counts(2), counts(2), int(enough)).outcome == "pass"
    too_few = 120 + first.requests_wanted * 0.9 / 2
    assert steady(ONE_STEP, counts(2), counts(2), int(too_few)).outcome == "inconclusive"


def test_an_alarm_fails_it_whatever_was_counted():
    verdict = judge(ONE_STEP, [], 0, 1, alarms=("api-throttles",))
    assert verdict.outcome == "fail"
    assert verdict.reasons == ("The alarm api-throttles rings.",)


def test_the_guard_counts_cold_requests_and_needs_stable_to_be_better():
    cold = counts(10, failed=10)
    buckets = [bucket(counts(20), counts(200), 5 * n, cold=cold) for n in range(60)]
    assert judge(ONE_STEP, buckets[:2], 0, 10) is None, "so many requests must have been counted"
    verdict = judge(ONE_STEP, buckets, 0, 300)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith(
        "In this step the canary failed 600 of 1800 requests, cold ones included, and stable 0 of 12000: more than 20%"
    )
    alike = [each._replace(stable=VersionCounts(counts(200), counts(100, failed=100))) for each in buckets]
    assert judge(ONE_STEP, alike, 0, 300).outcome != "fail"


def test_cold_requests_are_not_compared():
    slow_start = counts(50, failed=5, latency_us=2_000_000)
    verdict = judge(ONE_STEP, [bucket(counts(100), counts(100), 5 * n, cold=slow_start) for n in range(20)], 0, 100)
    assert verdict.outcome == "pass"


def test_what_shows_only_in_a_later_step_is_stopped_there():
    plan = Plan()
    good = [bucket(counts(30), counts(500), 5 * n, step=0) for n in range(60)]
    bad = [bucket(counts(250, failed=15), counts(250), 300 + 5 * n, step=2) for n in range(40)]
    assert judge(plan, good, 0, 300) is not None
    assert judge(plan, good + bad, 2, 200).outcome == "fail"


def test_each_step_is_proven_by_its_own_requests():
    plan = Plan()
    good = [bucket(counts(100), counts(100), 5 * n) for n in range(40)]
    assert judge(plan, good, 0, 200).outcome == "pass"
    assert judge(plan, good, 2, 200) is None
    assert judge(plan, good, 2, 1800).outcome == "inconclusive"
    few = [bucket(counts(1), counts(1), 200 + 5 * n, step=2) for n in range(20)]
    assert judge(plan, good + few, 2, 100) is None
    many = [bucket(counts(100), counts(100), 200 + 5 * n, step=2) for n in range(20)]
    assert judge(plan, good + many, 2, 100).outcome == "pass"


def test_one_bad_moment_of_one_environment_is_not_enough():
    good = [bucket(counts(100), counts(100), 5 * n) for n in range(5)]
    moment = [bucket(counts(100, failed=15), counts(100), 25)]
    assert judge(ONE_STEP, good + moment, 0, 30) is None


def test_folding_step_by_step_is_weighing_all():
    buckets = [bucket(counts(20, failed=n % 3), counts(40, failed=n % 2), 5 * n, step=n // 4) for n in range(12)]
    plan = Plan()
    known = nothing()
    for one in buckets:
        known = after(plan, known, one)
    assert known == weigh(plan, buckets) == weigh(plan, buckets[7:], weigh(plan, buckets[:7]))
    assert decide(plan, known, 2, 900) == judge(plan, buckets, 2, 900)


def test_the_metrics_share_of_the_budget_is_all_of_it():
    budget = Budget()
    assert budget.errors + budget.p50 + budget.p95 == 1


@given(st.integers(0, 400), st.integers(1, 400))
def test_a_share_s_interval_holds_its_estimate_and_narrows(hits, more):
    requests = hits + more
    found = of_share(hits, requests, 0.05)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    for edge in (found.low - 1e-6, found.high + 1e-6):
        assert not 0 < edge < 1 or interval._rejects(hits, requests, edge, 0.05)
    tenfold = of_share(hits * 10, requests * 10, 0.05)
    assert tenfold.high - tenfold.low < found.high - found.low


def test_a_share_is_in_its_interval_at_all_looks_together():
    rng, left = Random(2), 0
    for _ in range(400):
        hits = 0
        for n in range(1, 100):
            hits += rng.random() < 0.3
            if interval._rejects(hits, n, 0.3, 0.1):
                left += 1
                break
    assert 1 <= left <= 0.1 * 400


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60), st.sampled_from([0.5, 0.95]))
def test_a_quantile_s_interval_holds_its_estimate(sample, quantile):
    found = of_quantile(Histogram.of(sample), quantile, 0.05)
    assert found.low <= found.estimate <= found.high


def test_few_latencies_leave_the_p95_open_above():
    assert of_quantile(Histogram.of([1000] * 20), 0.95, 0.05).high == inf
    many = of_quantile(Histogram.of(range(1000, 101_000, 10)), 0.95, 0.05)
    assert 90_000 < many.low < 96_000 < many.high < 100_000
    assert of_quantile(Histogram(), 0.5, 0.05) is None
