"""The refill clock in Redis is the Python of it: absences, holds, a lost memory, and what buckets make of them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation.overadmission_stores import SimulatedRedis
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question
from tidegate.stores.redis import scripts as module
from tidegate.stores.redis.refill_clock import OutageReport
from tidegate.stores.redis.store import GONE_AFTER_S

RUNS_ON = ["redis", "valkey"]
NOT_ON = ["redis-serverless"]  # the refill clock and the counts as one node keeps them

BUCKET = Bucket(interval_us=1_000_000, burst=5)
KEYS = ("tidegate:{fleet:model}", "tidegate:{fleet:model}:clock")
SUBJECTS = ("one", "two")


def question(subject: str) -> Question:
    return Question(subject, (Charge("limit", BUCKET),))


steps = st.lists(
    st.tuples(
        st.integers(1, 20_000),  # ms since the step before
        st.sampled_from(["ask", "ask", "ask", "beat", "return", "return", "return from another life"]),
        st.sampled_from(SUBJECTS),
        st.integers(1, 90_000),  # ms of an absence
        st.integers(0, 90_000),  # of these, awake
    ),
    max_size=30,
)


class Both:
    """The same asked of the scripts and of the model, at the same time."""

    def __init__(self, rig) -> None:
        self._rig = rig
        self._store = rig.store
        self._store._transport.send([("FLUSHALL",), ("SET", "held-clock", rig.clock.wall_us())])
        self._model = SimulatedRedis(rig.clock.wall_us)

    def pass_ms(self, milliseconds: int) -> None:
        self._rig.pass_ms(milliseconds)

    def ask(self, subject: str, life: int) -> tuple[object, object]:
        asked = question(subject)
        call = module.admit_call(asked, module.Part(asked.charges), module.RefillClock((KEYS[1],), str(life)))
        [reply] = self._store.evaluate([call])
        return module.read_limits(reply, asked.charges), self._model.admit(asked, life).limits

    def beat(self, environment: str, life: int, absence: OutageReport, known: int) -> tuple[object, object]:
        arguments = [environment, GONE_AFTER_S, life, absence.away_us, absence.used_us, known]
        [reply] = self._store.evaluate([module.heartbeat_call(KEYS, arguments)])
        fleet, model_life = self._model.heartbeat(environment, life, absence, known)
        stand = self._model.stand
        clock = [stand.paused_us, stand.held_from_us, stand.held_until_us, stand.born_us]
        return reply, [fleet.environments, fleet.rank, model_life, *clock]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_the_scripts_do_what_the_pure_clock_does(clocked, told):
    both, life = Both(clocked), 0
    for number, (milliseconds, kind, subject, away_ms, used_ms) in enumerate(told):
        both.pass_ms(milliseconds)
        if kind == "ask":
            ours, model = both.ask(subject, life)
        else:
            absence = OutageReport() if kind == "beat" else OutageReport(away_ms * 1000, min(used_ms, away_ms) * 1000)
            before = life if kind != "return from another life" else max(1, life - 1)
            ours, model = both.beat(f"e{number % 3}", before, absence, known=2)
            life = ours[2]
        assert ours == model


@pytest.fixture
def spent(clocked):
    """Two environments at a Redis whose bucket is empty."""
    stores = [clocked.store, clocked.another()]
    for store in stores:
        store.admit(question("else"))
    while stores[0].admit(question("one")).admitted:
        pass
    return clocked, stores


def test_nothing_refills_while_the_fleet_is_away(spent):
    clocked, [first, second] = spent
    for store in (first, second):
        store.away.failed()
    clocked.pass_ms(300_000)
    for store in (first, second):
        store.away.failed()  # they have asked for it all the time
        store.probe()
    # Forgotten by then, it counts as empty but for a token.
    assert [second.admit(question("one")).admitted for _ in range(2)] == [True, False]
    clocked.pass_ms(2_300)
    assert [first.admit(question("one")).admitted for _ in range(3)] == [True, True, False]


def test_one_lost_line_takes_from_the_others_no_more_than_its_share(spent):
    clocked, [first, second] = spent
    second.away.failed()
    for _ in range(40):
        clocked.pass_ms(100)
        first.admit(question("else"))
    second.away.failed()
    second.probe()
    admitted = [first.admit(question("one")).admitted for _ in range(4)]
    assert admitted == [True, True, False, False]  # four seconds, of which one of two environments was away


def test_after_a_long_outage_who_isnt_kept_begins_with_one_token(clocked):
    clocked.store.admit(question("else"))
    clocked.store.away.failed()
    clocked.pass_ms(300_000)
    clocked.store.away.failed()
    clocked.store.probe()
    assert [clocked.store.admit(question("new")).admitted for _ in range(2)] == [True, False]


def test_a_first_deployment_gives_everybody_the_whole_burst(clocked):
    assert [clocked.store.admit(question("new")).admitted for _ in range(6)] == [True] * 5 + [False]
