"""Idempotency can't run twice: histories that hypothesis searches, histories by seed, and proof that they can fail."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import tidegate.compose_dynamodb as table_module
from tests.simulation import idempotency
from tests.simulation.idempotency_dynamodb import SimulatedClient
from tests.simulation.idempotency_finale import conclude
from tests.simulation.idempotency_history import LENGTH, LONGEST_IN_A_CALL, WEIGHTS, history, live, name_of, shortened
from tests.simulation.idempotency_ledger import Key
from tests.simulation.idempotency_steps import TIMES_MS, Step
from tests.simulation.idempotency_world import World, quiet
from tidegate.idempotency import held_claim, renewal
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.messages import Completed, InProgress, partition_key
from tidegate.stores.dynamodb.client import DynamoClient

SEED = 20261124
HISTORIES = 240  # 24,000 steps; hypothesis adds about 3,000
IN_ONE_TEST = 20
A_MILLION = 1_000_000

FAULTS = [kind for kind in WEIGHTS if kind not in {"ask", "resume", "hurry", "advance", "arm"}]
small = st.integers(0, 11)
steps = st.builds(Step, st.sampled_from(["resume", "ask", "hurry", *FAULTS]), small, small)
waits = st.builds(Step, st.just("advance"), st.integers(0, LONGEST_IN_A_CALL - 1))


class Machine(RuleBasedStateMachine):
    """The same world, led by hypothesis, which shortens what it finds."""

    def __init__(self):
        super().__init__()
        self._quiet = quiet()
        self._quiet.__enter__()
        self.world = World()

    @rule(where=small, fate=st.integers(0, 4))
    def ask(self, where, fate):
        self.world.perform(Step("ask", where, fate))

    @rule(where=small, which=small)
    def resume(self, where, which):
        self.world.perform(Step("resume", where, which))

    @rule(where=small)
    def hurry(self, where):
        self.world.perform(Step("hurry", where))

    @rule(time=st.integers(0, len(TIMES_MS) - 1))
    def advance(self, time):
        self.world.perform(Step("advance", time))

    @rule(kind=st.sampled_from(FAULTS), where=small, which=small)
    def fault(self, kind, where, which):
        self.world.perform(Step(kind, where, which))

    @rule(after=st.integers(0, 5), inner=st.lists(st.one_of(steps, waits), min_size=1, max_size=8))
    def arm(self, after, inner):
        self.world.perform(Step("arm", after, 0, tuple(inner)))

    def teardown(self):
        try:
            conclude(self.world)
        finally:
            for environment in self.world.environments:
                environment.crash()
            self._quiet.__exit__(None, None, None)


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=60, stateful_step_count=50, suppress_health_check=[HealthCheck.too_slow], deadline=None
)


@pytest.mark.parametrize("first", range(0, HISTORIES, IN_ONE_TEST))
def test_histories_by_their_seeds(first):
    for number in range(first, first + IN_ONE_TEST):
        name = name_of(SEED, number)
        with quiet():
            outcome = live(name, history(name))
        assert outcome.violation is None, f"python -m tests.simulation.idempotency --replay {name}"


def test_the_simulated_client_has_all_that_the_librarys_has():
    """What it lacks would count as a store that fails, and the fallback would never decide again."""
    assert {name for name in vars(DynamoClient) if not name.startswith("_")} <= set(vars(SimulatedClient))


def test_a_seed_is_a_replay():
    name, twice = name_of(SEED, 0), ([], [])
    with quiet():
        for told in twice:
            live(name, history(name), told.append)
    kinds = [[line.split(" ")[0] for line in told] for told in twice]
    assert kinds[0] == kinds[1]
    assert len(kinds[0]) > LENGTH


@pytest.mark.benchmark
def test_a_million_steps(capsys):
    with capsys.disabled():
        assert idempotency.main(["--seed", str(SEED), "--steps", str(A_MILLION)]) == 0


# ── that it can fail: each of these is found among the same histories ───────────────────────────────────────


class UnfencedCompletion(DynamoClaims):
    """Whoever comes last is stored."""

    def complete(self, request, record):
        self._client.call(
            "UpdateItem",
            TableName=self.table,
            Key={"pk": {"S": partition_key(request.id)}},
            UpdateExpression="SET #state = :completed, #record = :record",
            ExpressionAttributeNames={"#state": "state", "#record": "record"},
            ExpressionAttributeValues={":completed": {"S": "completed"}, ":record": {"B": record}},
        )
        return True


class Impatient(DynamoClaims):
    """Takes over whatever the deadline says."""

    def claim(self, request):
        answer = super().claim(request)
        if not isinstance(answer, InProgress):
            return answer
        self._client.call(
            "UpdateItem",
            TableName=self.table,
            Key={"pk": {"S": partition_key(request.id)}},
            UpdateExpression="SET deadline_ms = :past",
            ExpressionAttributeValues={":past": {"N": "0"}},
        )
        return super().claim(request)


class Forgetful(DynamoClaims):
    """Answers that an answer is stored, and stores it nowhere."""

    def complete(self, request, record):
        return True


class Altering(DynamoClaims):
    """Replays something else than was stored."""

    def claim(self, request):
        answer = super().claim(request)
        return Completed(answer.record + b" ") if isinstance(answer, Completed) else answer


def caught():
    """The first violation among the default histories, and in how many steps it can be shown."""
    with quiet():
        for number in range(HISTORIES):
            name = name_of(SEED, number)
            outcome = live(name, history(name))
            if outcome.violation is not None:
                shorter = shortened(name, history(name)[: outcome.steps])
                assert live(name, shorter).violation is not None
                return str(outcome.violation), len(shorter)
    return None


@pytest.mark.parametrize("broken", [UnfencedCompletion, Impatient, Forgetful, Altering])
def test_a_broken_claim_store_is_caught(broken, monkeypatch):
    monkeypatch.setattr(table_module, "DynamoClaims", broken)
    _, steps_needed = caught()
    assert steps_needed < LENGTH


def test_a_handler_that_begins_or_answers_after_its_hold_is_caught(monkeypatch):
    monkeypatch.setattr(held_claim.HeldClaim, "sure_ms", 1)
    assert caught() is not None


@pytest.mark.slow
def test_a_copy_in_redis_of_what_the_claim_store_was_never_told_is_caught(monkeypatch):
    monkeypatch.setattr(held_claim.HeldClaim, "_marked_pending", lambda self, record, sure_ms: record)
    assert caught() is not None


def test_a_hold_without_a_margin_for_skewed_clocks_is_caught(monkeypatch):
    monkeypatch.setattr(renewal, "SKEW_MARGIN_MS", 0)
    monkeypatch.setattr(held_claim, "SKEW_MARGIN_MS", 0)
    assert caught() is not None


def test_claims_that_redis_alone_holds_may_run_twice(monkeypatch):
    """What `claims="redis"` gives away, and the other routes don't."""
    monkeypatch.setattr(Key, "guarded", True)
    violation, _ = caught()
    assert "key-of-quick" in violation


def test_a_long_run_reports_the_violation_and_its_replay(monkeypatch):
    monkeypatch.setattr(table_module, "DynamoClaims", Impatient)
    said = []
    assert idempotency.main(["--seed", "1", "--steps", "20000"], said.append) == 1
    assert said[0].startswith("VIOLATED: ")
    [replay] = [line.rsplit(" ", 1)[1] for line in said if "--replay" in line]
    assert idempotency.main(["--replay", replay], said.append) == 1
