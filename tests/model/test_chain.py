"""The chain returns to Redis by a probe alone, and nobody waits for a store that is known to be gone."""

import pytest

from tests.model import chain
from tests.model.checker import check
from tidegate.failover.breaker import Breaker

[MODEL] = chain.models()


def test_all_that_is_promised_of_the_chain_holds():
    found = check(MODEL)
    assert found.violation is None, str(found.violation)


def _patient(init):
    return lambda self, clock, **numbers: init(self, clock, longest_pause_s=5.0, **numbers)


def _forgiving(self, permission, failed=Breaker.failed):
    if permission == "probe":
        self._state = "closed"
    else:
        failed(self, permission)


BROKEN = {
    "a failed probe that closes": (Breaker, "failed", _forgiving, 1),
    "questions in a pause": (Breaker, "permission", lambda self: "ask", 2),
    "a pause that doubles for ever": (Breaker, "__init__", _patient(Breaker.__init__), 4),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_breaker_is_found(what, monkeypatch):
    where, attribute, broken, at = BROKEN[what]
    monkeypatch.setattr(where, attribute, broken)
    found = check(MODEL._replace(invariants=(MODEL.invariants[at],)))
    assert found.violation is not None
    assert found.violation.says == MODEL.invariants[at].says
    assert len(found.violation.trace) <= 15
