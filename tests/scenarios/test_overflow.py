"""The short form of the overflow run: `python -m tests.scenarios.overflow` is the whole."""

import pytest

from tests.scenarios.overflow import Plan, faults, run

pytestmark = pytest.mark.slow

# A rate that a busy machine exceeds, too.
SHORT = Plan(exports=45, clients=3, rate="5/s", kills=2, timeout_ms=2000, visibility_s=3, together=True)


def test_each_runs_once_in_order_while_workers_and_redis_die(tmp_path):
    outcome = run(SHORT, tmp_path)
    assert faults(outcome) == []
    assert len(outcome.accepted) > SHORT.kills
