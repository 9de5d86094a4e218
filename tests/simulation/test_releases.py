"""The judge on simulated releases, in a short form: the full tables are `python -m tests.simulation.releases`."""

import random
from collections import Counter
from dataclasses import replace
from math import exp
from random import Random
from statistics import fmean, variance

import pytest

from functions.rollout.judge import Counts, harm
from infra.stages import AWS, LOCAL
from tests.simulation import releases_peers, releases_report
from tests.simulation.releases import Cell, Outcomes, cells, simulate, simulate_cell, way_of
from tests.simulation.releases_draws import Shape, poisson
from tests.simulation.releases_fleet import shape
from tests.simulation.releases_lead import lead
from tests.simulation.releases_stream import Stream
from tests.simulation.releases_weather import API, Regression, Weather
from tests.simulation.releases_worlds import FAULTS, WORLDS, slower_tail
from tidegate.outcomes.histogram import Histogram

NAMES = [world.name for world in WORLDS]
# In these most that is as good as stable was rolled back, when the judge knew requests only.
ONCE_ROLLED_BACK = [name for name in NAMES if name.startswith(("outage", "one bad", "bimodal", "cold", "alarms"))]


def said(cell, releases=1, seed=7):
    return Counter(simulate(cell, seed, number).outcome for number in range(releases))


@pytest.mark.parametrize("name", NAMES)
def test_in_each_world_a_healthy_release_passes_and_a_bad_one_fails(name):
    assert said(Cell(name, None, 20.0)) == {"pass": 1}
    for fault in FAULTS[:3]:
        assert said(Cell(name, fault.name, 20.0)) == {"fail": 1}, fault.name


@pytest.mark.parametrize("name", ONCE_ROLLED_BACK)
@pytest.mark.parametrize("per_s", [20.0, 200.0])
def test_what_both_versions_share_rolls_nothing_back(name, per_s):
    assert said(Cell(name, None, per_s), 3) == {"pass": 3}


def test_an_outage_that_both_share_makes_the_step_last_longer():
    calm = lead(Stream(Weather(20.0), "same"), way_of(AWS))
    shared = lead(Stream(Weather(20.0, outages=((130.0, 170.0, 0.6),)), "same"), way_of(AWS))
    assert (calm.outcome, shared.outcome) == ("pass", "pass")
    assert calm.seconds + 30 <= shared.seconds <= calm.seconds + 300


def test_without_any_wait_for_outages_the_step_counts_them(monkeypatch):
    way = way_of(AWS)
    blind = way._replace(plan=way.plan._replace(outage=way.plan.outage._replace(most_s=0)))
    outages = Weather(20.0, outages=((130.0, 170.0, 0.99),), alarms=True)
    assert lead(Stream(outages, "blind"), blind).outcome in {"pass", "fail", "held"}
    long = replace(outages, outages=((100.0, 600.0, 0.99),))
    assert lead(Stream(long, "blind"), way).outcome == "fail", "nobody releases into an incident that lasts"


def test_few_requests_are_made_up_for_by_replays():
    for fault, outcome in ((None, "pass"), ("errors x4", "fail"), ("p95 x3", "fail")):
        assert said(Cell("steady", fault, 0.2, replays=True)) == {outcome: 1}
    assert said(Cell("steady", None, 0.2)) == {"held": 1}
    judged = simulate(Cell("steady", None, 0.2, replays=True), 7, 0)
    assert judged.replayed > 1000
    assert judged.decided_s <= 360


def test_where_traffic_proves_it_nothing_is_replayed():
    enough = lead(Stream(Weather(20_000.0), "enough"), way_of(AWS, replays=True))
    assert (enough.outcome, enough.replayed) == ("pass", 0)


def test_a_rare_route_that_fails_wholly_is_found():
    assert said(Cell("a rare route", "it fails wholly", 200.0), 2) == {"fail": 2}
    assert said(Cell("a rare route", None, 200.0), 2) == {"pass": 2}


def test_nothing_comes_late_enough_to_be_promoted_for_good():
    found = [
        lead(Stream(Weather(200.0, bad=Regression(extra=0.1, from_s=from_s)), f"late {from_s}"), way_of(AWS)).outcome
        for from_s in (180.0, 400.0, 650.0, 900.0)
    ]
    assert found == ["fail"] * 4


def test_a_release_is_watched_for_its_time_whatever_the_traffic_is():
    watched = [lead(Stream(Weather(per_s, base=0.0), "watched"), way_of(AWS)).seconds for per_s in (20.0, 1000.0)]
    assert min(watched) >= 180 + AWS.release.bake_s


def test_one_environment_s_bad_moments_end_no_release():
    """Without a cap by time, and without looking at where the failures lie, they do."""
    world = next(world for world in WORLDS if world.name == "clustered failures")
    weather = [world.draw(random.Random(n), 200.0) for n in range(3)]
    assert [lead(Stream(each, f"moments {n}"), way_of(AWS)).outcome for n, each in enumerate(weather)] == ["pass"] * 3


def test_a_judge_that_does_not_compare_the_same_minutes_is_caught(monkeypatch):
    """Each stretch's own table is what makes shared bursts no evidence."""
    gains = harm.gains

    def against_a_steady_stable(table, ratio, extra):
        return gains(table._replace(stable_hits=table.stable * 0.015), ratio, extra)

    monkeypatch.setattr(harm, "gains", against_a_steady_stable)
    assert said(Cell("shared bursts", None, 200.0), 3)["fail"]


def test_the_edge_of_what_is_tolerated_is_where_rollbacks_begin():
    def fails(times):
        edge = Weather(1000.0, base=0.02, bad=Regression(errors=times))
        return sum(lead(Stream(edge, f"edge {n}"), way_of(AWS)).outcome == "fail" for n in range(4))

    assert fails(1.5) == 0
    assert fails(2.2) == 4


def test_the_peers_roll_back_what_both_versions_share():
    rules = releases_peers.RULES
    weather = Weather(20.0, client=0.15)
    assert {rule: lead_by(Stream(weather, "client")).outcome for rule, lead_by in rules.items()} == {
        "Argo-like": "fail",
        "Flagger-like": "fail",
        "Kayenta-like": "pass",
    }
    failing = Weather(20.0, bad=Regression(extra=0.5))
    assert {lead_by(Stream(failing, "failing")).outcome for lead_by in rules.values()} == {"fail"}


def test_the_local_stage_goes_on_without_proof():
    judged = lead(Stream(Weather(1.0), "local"), way_of(LOCAL))
    assert (judged.outcome, judged.seconds <= 30) == ("pass", True)


@pytest.fixture(scope="module")
def run():
    """A short run of one world, every cell of it."""
    return dict(simulate_cell(7, 1, cell) for cell in cells(["steady"]) if cell.per_s != 5.0)


def test_terminal_and_document_show_the_same_figures(run):
    found = releases_report.tables(run)
    document = [line for line in releases_report._markdown(found) if line.startswith("| ")]
    told = [line for line in releases_report.as_text(found) if line.startswith("  ")]
    assert len(document) == len(told) == sum(len(table.rows) + 1 for table in found)
    for row, line in zip(document, told, strict=True):
        assert "".join(row.replace("|", "").split()) == "".join(line.split())


def test_the_promises_are_read_from_the_run(run):
    assert list(releases_report.broken(run)) == []
    healthy, late = Cell("steady", None, 20.0), Cell("steady", "late, x20", 20.0)
    told = run | {healthy: Outcomes({"fail": 20, "pass": 80}, 0, ()), late: Outcomes({"pass": 90, "fail": 10}, 0, ())}
    assert list(releases_report.broken(told)) == [
        "steady, 20 requests/s, healthy: 20 fail",
        "steady, 20 requests/s, late, x20: 90 pass",
    ]
    by_chance = run | {healthy: Outcomes({"fail": 2, "pass": 98}, 0, ())}
    assert list(releases_report.broken(by_chance)) == []


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


def test_the_slow_tail_is_a_p95_of_three_times_the_usual():
    drawn = Histogram(shape(slower_tail(API), 1.0).draw(Random(1), 200_000))
    assert drawn.quantile_us(0.95) / (40_000 * exp(1.645 * 0.6)) == pytest.approx(3, rel=0.1)


def test_a_fleet_counts_every_request_once_and_says_where_the_failures_lie():
    stream = Stream(Weather(200.0, base=0.05, rare=0.01), "fleet")
    counts = stream.look(0, 50.0, 0, 10).canary.warm
    assert counts.requests == counts.failed + counts.latency.total
    assert sum(of.requests for of in counts.routes.values()) == counts.requests
    assert sum(of.failed for of in counts.routes.values()) == counts.failed
    assert counts.requests**2 / counts.spread.requests == pytest.approx(10, abs=4)
    assert isinstance(counts, Counts)
