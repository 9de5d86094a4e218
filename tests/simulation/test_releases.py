"""The judge on simulated releases, in a short form: the promise holds, and without its arithmetic it doesn't.

The full table: `python -m tests.simulation.releases --seed 1`.
"""

from collections import Counter
from math import exp
from random import Random
from statistics import fmean, variance

import pytest

from functions.rollout.judge import Budget, Counts, Plan, harm
from tests.simulation import releases_report
from tests.simulation.releases import CELLS, OURS, RULES, replay, simulate
from tests.simulation.releases_draws import Shape, poisson
from tests.simulation.releases_peers import differs
from tests.simulation.releases_world import KINDS, PROFILES, Kind, Release, shape, tail_for_p95
from tidegate.algorithms.histogram import Histogram

GOOD, BAD = [kind for kind in KINDS if kind.good], [kind for kind in KINDS if not kind.good]


@pytest.fixture(scope="module")
def outcomes():
    """One release in every third cell of the grid: each kind with each traffic, and with each base error rate."""
    return [simulate(seed=7, number=number) for number in range(0, len(CELLS), 3)]


def words(outcomes, rule, kinds):
    return Counter(outcome.said[rule].outcome for outcome in outcomes if outcome.kind in kinds)


def test_good_releases_pass_or_are_left_open(outcomes):
    said = words(outcomes, OURS, GOOD)
    assert said["fail"] == 0
    assert said["pass"] > said["inconclusive"]


def test_regressions_are_stopped_or_left_open(outcomes):
    said = words(outcomes, OURS, BAD)
    assert said["pass"] <= 0.05 * sum(said.values())
    assert said["fail"] > 2 * said["inconclusive"]


def test_what_is_left_open_had_little_traffic(outcomes):
    open_ones = [outcome for outcome in outcomes if outcome.said[OURS].outcome == "inconclusive"]
    assert {outcome.requests_per_s for outcome in open_ones} <= {0.1, 1.0, 10.0}


def test_the_peers_false_rollbacks_are_many(outcomes):
    for rule in RULES[1:]:
        assert words(outcomes, rule, GOOD)["fail"] > 0.1 * len(outcomes) * len(GOOD) / len(KINDS)


def test_the_tables_hold_every_release_and_the_promise_is_read_from_them(outcomes):
    good, bad = releases_report.tables(outcomes)[:2]
    assert all(g.releases + b.releases == len(outcomes) for g, b in zip(good.rows, bad.rows, strict=True))
    assert releases_report.holds(outcomes)
    swapped = [outcome._replace(said={OURS: outcome.said[RULES[1]]} | outcome.said) for outcome in outcomes]
    assert releases_report.holds(swapped)
    worse = [outcome._replace(said=outcome.said | {OURS: outcome.said[RULES[1]]}) for outcome in outcomes]
    assert not releases_report.holds(worse)


def test_terminal_and_document_show_the_same_figures(outcomes):
    found = releases_report.tables(outcomes)
    document = list(releases_report._markdown(found, len(outcomes), seed=7))
    rows = [line for line in document if line.startswith("| ") and not line.startswith("| releases")]
    told = [line for line in releases_report.as_text(found) if line.startswith("  ") and "inconclusive" not in line]
    assert len(rows) == len(told) == sum(len(table.rows) for table in found)
    for row, line in zip(rows, told, strict=True):
        assert "".join(row.replace("|", "").split()) == "".join(line.split())
    assert f"--seed 7 --releases {len(outcomes)}" in document[0]


def test_a_generous_budget_gives_false_rollbacks_at_the_edge_of_what_is_tolerated():
    edge = Kind("edge", good=True, errors=1.5)
    plan = Plan(budget=Budget(false_rollbacks=0.5, errors=1.0))

    def fails(plan):
        said = [replay(Release(edge, 1000, 0.02, PROFILES[0], f"edge {n}"), plan).outcome for n in range(16)]
        return said.count("fail")

    assert 1 <= fails(plan) <= 10
    assert fails(Plan()) == 0


def test_a_judge_that_compares_with_all_time_instead_of_the_same_minutes_is_caught(monkeypatch):
    """Each bucket's own table is what makes shared bursts no evidence."""
    bursts = next(kind for kind in KINDS if kind.name == "shared bursts")
    gains = harm.gains

    def against_a_steady_stable(table, ratio, extra):
        steady = table._replace(stable_hits=round(table.stable * 0.01))
        return gains(steady, ratio, extra)

    monkeypatch.setattr(harm, "gains", against_a_steady_stable)
    said = [replay(Release(bursts, 100, 0.01, PROFILES[1], f"bursts {n}"), Plan()).outcome for n in range(5)]
    assert "fail" in said


@pytest.mark.parametrize("mean", [0.3, 9.0, 11.0, 400.0])
def test_the_drawn_counts_have_poisson_s_mean_and_variance(mean):
    rng = Random(3)
    counts = [poisson(rng, mean) for _ in range(4000)]
    assert fmean(counts) == pytest.approx(mean, rel=0.06)
    assert variance(counts) == pytest.approx(mean, rel=0.12)


@pytest.mark.parametrize("mean", [100.0, 2000.0])
def test_a_histogram_is_drawn_alike_in_both_ways(mean):
    rng, wanted = Random(5), Shape([(1, 0.2), (2, 0.5), (9, 0.3)])
    drawn = Counter()
    for _ in range(200):
        drawn.update(wanted.draw(rng, mean))
    assert {n: drawn[n] / 200 / mean for n in drawn} == pytest.approx({1: 0.2, 2: 0.5, 9: 0.3}, rel=0.05)


@pytest.mark.parametrize("sigma", [sigma for _, sigma in PROFILES])
def test_the_slow_tail_is_a_p95_of_four_times_the_usual(sigma):
    drawn = Histogram(shape(40, sigma, tail_for_p95(sigma, 4)).draw(Random(1), 200_000))
    assert drawn.quantile_us(0.95) / (40_000 * exp(1.645 * sigma)) == pytest.approx(4, rel=0.06)


def test_the_fixed_size_test_tells_equal_shares_from_others():
    assert not differs(Counts(1000, 10, 0, Histogram({9: 990})), Counts(9000, 90, 0, Histogram({9: 8910})))
    assert differs(Counts(1000, 40, 0, Histogram({9: 960})), Counts(9000, 90, 0, Histogram({9: 8910})))
    assert differs(Counts(50, 6, 0, Histogram({9: 44})), Counts(5000, 0, 0, Histogram({9: 5000})))
