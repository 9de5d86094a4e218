"""Runners that are killed at any call, wait, and take each other over, beside traffic: each item is changed once."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from functions.migrate.ledger import LEASE_S, Ledger, SupersededError
from functions.migrate.runner import Request
from tests.contract.migrations import Killed, MortalClient, Site, order, renaming
from tests.harness.dynamodb_within import DynamoWithin


class Runners(RuleBasedStateMachine):
    """The model: which orders there are, and that none is changed twice by an expand that isn't taken back."""

    def __init__(self, server) -> None:
        super().__init__()
        self.site = Site(server, (renaming(),))
        self.totals = {}
        self.left = []  # ledgers that hold the lock, or did, and never left it
        self.tokens = [0]
        self.downs = 0
        self.leased_until_s = 0.0

    def teardown(self) -> None:
        self.site.close()

    @rule(count=st.integers(1, 30))
    def old_code_writes(self, count: int) -> None:
        begin = len(self.totals)
        self.site.put(*map(order, range(begin, begin + count)))
        self.totals |= {f"order-{n}": str(n) for n in range(begin, begin + count)}

    @precondition(lambda self: self.site.state() not in {"expanded", "undone"})
    @rule(calls=st.integers(1, 40), after=st.booleans())
    def a_runner_is_killed(self, calls: int, after: bool) -> None:
        client = MortalClient(self.site.client, calls, after=after)
        try:
            self.site.runner(client=client).run(Request("expand", "r1"))
        except Killed:
            self.site.clock.sleep(1)

    @rule()
    def an_invocation_does_a_slice(self) -> None:
        told = self.site.runner(slice_s=0).run(Request("expand", "r1"))
        assert told["status"] in {"done", "more"}

    @rule(release=st.sampled_from(["r1", "r2"]))
    def it_is_taken_back(self, release: str) -> None:
        told = self.site.runner().run(Request("down", release))
        self.downs += 1
        assert told["status"] in {"done", "more"}

    @rule()
    def somebody_takes_the_lock_and_is_gone(self) -> None:
        ledger = Ledger(self.site.client, self.site.library, "test", self.site.clock)
        held = ledger.take()
        if self.site.clock.now_s < self.leased_until_s:
            assert held is None, "the lock is somebody's until its lease ends"
        if held is not None:
            self.leased_until_s = self.site.clock.now_s + LEASE_S
            assert held.token > self.tokens[-1]
            self.tokens.append(held.token)
            self.left.append((ledger, held))

    @precondition(lambda self: len(self.left) > 1)
    @rule(at=st.integers(0, 99))
    def one_that_was_taken_over_wakes_up(self, at: int) -> None:
        ledger, held = self.left[at % (len(self.left) - 1)]
        before = self.site.runner().run(Request("status", None))
        try:
            ledger.write(held)
        except SupersededError:
            assert self.site.runner().run(Request("status", None)) == before
        else:
            raise AssertionError("a token that another runner's follows may write nothing")

    @rule(seconds=st.sampled_from([1.0, LEASE_S]))
    def time_passes(self, seconds: float) -> None:
        self.site.clock.sleep(seconds)

    @invariant()
    def nothing_is_lost_or_changed_twice(self) -> None:
        items = self.site.items()
        assert {name: item["total"]["N"] for name, item in items.items()} == self.totals
        assert {i["total_minor"]["N"] == i["total"]["N"] for i in items.values() if "total_minor" in i} <= {True}
        assert all(int(item["runs"]["N"]) <= 1 + self.downs for item in items.values())

    @rule()
    def at_last_it_gets_through(self) -> None:
        """Whatever was left half-way: after a lease's end, one runner finishes, and finds nothing twice."""
        self.site.clock.sleep(LEASE_S)
        self.site.run("down", None)
        self.downs += 1
        self.site.run("expand", "r2")
        assert self.site.state() == "expanded"
        assert all("total_minor" in item for item in self.site.items().values())
        assert self.site.runner().run(Request("expand", "r2", dry_run=True))["progress"] == {"due": []}


def test_one_runner_at_a_time_goes_on_where_the_last_one_died():
    run_state_machine_as_test(
        lambda: Runners(DynamoWithin()),
        settings=settings(
            max_examples=max(4, settings().max_examples // 10),
            stateful_step_count=12,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
