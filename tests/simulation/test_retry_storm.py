"""The retry storm's short form: a small server, half a minute out."""

import pytest

from tests.simulation.retry_storm import CLIENTS, document, simulate, table
from tests.simulation.retry_storm_world import Plan

# A tenth of the program's, with a queue of five seconds' work as there.
SMALL = Plan(clients=20, demand=14, workers=2, queue=100, healthy_s=30, outage_s=30, after_s=60)
NAIVE, BACKOFF, OURS, OURS_HEARD = CLIENTS


@pytest.fixture(scope="module")
def outcomes():
    return {(o, c): simulate(c, o, SMALL, seed=3) for o in ("refuses", "hangs") for c in CLIENTS}


@pytest.mark.parametrize("outage", ["refuses", "hangs"])
def test_three_retries_quadruple_the_load_and_a_budget_adds_a_tenth(outcomes, outage):
    assert outcomes[outage, NAIVE].offered_out > 3.5
    assert outcomes[outage, BACKOFF].offered_out > 3.5
    # Each client's tokens, and a tenth; what arrives at random, and was under way.
    tokens = SMALL.clients * 5 / (SMALL.demand * SMALL.outage_s)
    assert outcomes[outage, OURS].offered_out < (1.1 + tokens) * 1.1


def test_naive_clients_keep_a_server_down_that_is_well(outcomes):
    for clients in (NAIVE, BACKOFF):
        assert outcomes["hangs", clients].steady_after_s is None
        assert outcomes["hangs", clients].useful_after < 0.1


def test_ours_let_it_recover(outcomes):
    for outage in ("refuses", "hangs"):
        assert outcomes[outage, OURS].steady_after_s is not None
        assert outcomes[outage, OURS_HEARD].steady_after_s is not None
    assert outcomes["hangs", OURS_HEARD].steady_after_s < outcomes["hangs", OURS].steady_after_s
    assert outcomes["hangs", OURS_HEARD].useful_after > 0.9


def test_a_seed_gives_the_same_history(outcomes):
    again = simulate(OURS, "hangs", SMALL, seed=3)
    assert again == outcomes["hangs", OURS]


def test_the_figures_are_written_out(outcomes):
    text = document(outcomes, SMALL, seed=3, chart="x.png")
    assert table(outcomes, SMALL) in text
    assert text.count("\n| ") == 1 + len(outcomes)
    assert "not in 60 s" in text
