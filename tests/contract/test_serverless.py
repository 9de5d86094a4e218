"""ElastiCache Serverless takes whatever the library sends: scripts with their keys, commands, the sign-in.

`TIDEGATE_TEST_STORES=redis-serverless` runs the other modules' tests on it, too.
"""

import pytest

from tests.contract.places import close
from tests.contract.test_damaged_items import charges
from tests.contract.workers import request
from tidegate.cache.shared import SharedCopies
from tidegate.cache_messages import CacheHit, CacheLease, CacheRequest, CacheWrite, Windows
from tidegate.clock import SystemClock
from tidegate.failover.breaker import Breaker
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.messages import Completed, Granted, Question, Settlement
from tidegate.outcomes.in_redis import TallyRider
from tidegate.shedding.fleet_demand import DemandView
from tidegate.shedding.in_redis import DemandRider
from tidegate.stores.fleet_secret import FleetSecret
from tidegate.stores.redis.store import RedisStore

RUNS_ON = ["redis-serverless"]

CLAIM = request("claim", "mine")
COPY = CacheRequest("key", "route", ("known",), "first", 60_000)
WINDOWS = Windows(60_000, 1_000, 60_000)
LIMITS = tuple(
    charge._replace(key=name, subject="route" if name == "window" else "") for name, charge in charges().items()
)


@pytest.fixture
def store(place, tally):
    """A store with everything that rides along."""
    clock = SystemClock()
    tally.ended(200, 0.1, None)
    riders = [DemandRider(DemandView(clock, lambda: 1), "contract"), TallyRider(tally)]
    made = RedisStore(place.target(), "contract", "one", clock, riders, secret=FleetSecret(None))
    yield made
    close(made)


def test_a_question_of_everything_and_its_settlement(store):
    answer = store.admit(Question("subject", LIMITS, CLAIM, cache=COPY))
    assert answer.admitted
    assert len(answer.limits) == len(LIMITS)
    assert isinstance(answer.claim, Granted)
    assert answer.cache == CacheLease(None)
    corrections = tuple(charge._replace(cost=-1) for charge in LIMITS)
    write = CacheWrite(COPY, b"copy", ("known", "told by the handler"), WINDOWS, payer="ann")
    assert store.settle(Settlement("subject", CLAIM, b"", fenced=True, renews=True, points=b"{}"))
    assert store.settle(Settlement("subject", CLAIM, b"answer", fenced=True, corrections=corrections, cache=write))
    again = store.admit(Question("subject", LIMITS, CLAIM._replace(attempt_id="other"), cache=COPY))
    assert again.claim == Completed(b"answer")


def test_copies_their_tags_their_payers_and_who_waits(store):
    copies = SharedCopies(CircuitBreakerStore(store, Breaker(SystemClock()), SystemClock()), store)
    tags = ("known", "of-the-handler")
    for number, payer in enumerate(["ann", "ben"]):
        asked = COPY._replace(token=f"lease-{number}")
        assert isinstance(store.admit(Question("subject", cache=asked)).cache, CacheLease)
        waiting = store.admit(Question("subject", cache=asked._replace(token="waits")))
        assert waiting.cache.lease == asked.token
        written = CacheWrite(asked, b"copy", tags, WINDOWS, payer=payer)
        assert store.settle(Settlement("subject", None, None, fenced=False, cache=written))
        copies.wait(asked, asked.token, 10_000)
        assert isinstance(store.admit(Question("subject", cache=COPY)).cache, CacheHit)
        assert copies.void(["route", "another"], ["of-the-handler"])
    assert copies.void(["route"], [])
    copies.forget(COPY, b"copy")
    copies.close()


def test_a_question_about_nothing_is_none(store, serverless):
    def evaluated():
        return serverless.server.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)

    assert store.admit(Question("subject", LIMITS)).admitted
    before = evaluated()  # what rides along has ridden
    assert store.admit(Question("subject")).admitted
    assert evaluated() - before <= 1, "no more than the demand's report, which has its own key"


def test_a_probe_and_a_life(store):
    store.probe(20.0)
    store.probe()
    store.close()
    store.probe()
    assert store.admit(Question("subject", LIMITS)).admitted


def test_whoever_signs_nothing_is_told_so(place, serverless):
    store = RedisStore(place.target()._replace(credentials=None), "contract", "one", SystemClock())
    tracked = CircuitBreakerStore(store, Breaker(SystemClock()), SystemClock())
    tracked.check(20.0)
    assert (tracked.state.state, tracked.state.fault) == ("failing", "authentication")
    close(store)
