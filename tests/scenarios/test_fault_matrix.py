"""In every class of fault: an answer, by the store that must give it, few probes, one effect, and back by itself.

How quick that is `python -m tests.scenarios.fault_matrix` measures; docs/faults.md is its last run.
"""

from collections.abc import Iterator

import pytest

from tests.harness.dynamodb import DynamoServer
from tests.scenarios.environment import FACES
from tests.scenarios.fault_matrix import TESTED, Scenarios, possible

pytestmark = pytest.mark.slow

FIRST_PAUSE_S, LONGEST_PAUSE_S, SHORTEST_SHARE = 0.2, 1.0, 0.8


@pytest.fixture(scope="session")
def scenarios(_shared_dynamo: DynamoServer) -> Iterator[Scenarios]:
    """The places and environments of this process's tests."""
    made = Scenarios(_shared_dynamo, TESTED)
    yield made
    made.close()


def most_probes(seconds: float) -> int:
    """How many probes the breaker's pauses allow in so long."""
    probes, at_s, pause_s = 0, 0.0, FIRST_PAUSE_S
    while at_s <= seconds:
        probes += 1
        at_s += pause_s * SHORTEST_SHARE
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
    return probes


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.title) for fault in possible()])
def test_a_fault(scenarios, dynamo, fault, face):
    seen = scenarios.run(fault, face)
    assert seen.errors() == []
    assert seen.misnamed() == []
    # Whoever is on the way when it fails finds out, each on one fresh connection more; then come the probes.
    attempts = (1 if face == "function" else 8) + most_probes(seen.seconds)
    assert seen.connects <= 2 * attempts
    assert seen.commands <= 3 * attempts
    assert seen.requests >= TESTED.during
    assert [order.faults() for order in seen.orders] == [[], []]
