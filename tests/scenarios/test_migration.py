"""A backfill under traffic, in short: the full one is `python -m tests.scenarios.migration`."""

import pytest

from tests.scenarios.migration import Plan, run

pytestmark = pytest.mark.slow

PLAN = Plan(orders=400, each_s=0.1, slice_s=0.0, lease_s=12.0, page=50)


@pytest.fixture(scope="module")
def outcome():
    return run(PLAN)


def test_a_runner_that_is_killed_half_way_is_taken_over_and_gone_on_from(outcome):
    assert PLAN.orders / 2 <= outcome.killed_at < PLAN.orders
    assert outcome.answers[0]["progress"] == {"trouble": "another runner has the lock"}
    assert (outcome.answers[-1]["status"], outcome.answers[-1]["schema"]) == ("done", 1)
    entry = outcome.journal.entries[1]
    assert entry.state == "expanded"
    placed = len(outcome.items) - PLAN.orders
    assert PLAN.orders <= entry.progress.written <= PLAN.orders + placed, "none was done twice"


def test_every_order_of_before_has_both_forms(outcome):
    before = [item for item in outcome.items if item["id"]["S"].startswith("old-")]
    assert len(before) == PLAN.orders
    assert {(item["total"]["N"], item["total_minor"]["N"]) for item in before} == {("2500", "2500")}


def test_no_client_of_either_code_noticed(outcome):
    assert outcome.asked["answered"] > 10
    assert not outcome.asked["wrong"]
