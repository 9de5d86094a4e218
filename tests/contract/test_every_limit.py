"""Every kind of limit, the same on every store: the pure algorithm over arbitrary costs, times and neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.conftest import Rig
from tests.contract.model import LimitsModel
from tidegate.decision import NEVER
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import period_at
from tidegate.limits.sliding_window import Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question, Settlement

HOUR_US = 3_600_000_000
NOW_US = 1_800_000_000_000_000
TODAY = period_at(NOW_US, "day", UTC, 5)

# A fixture's store serves every example; each example has subjects of its own.
examples = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# Above a minute, so that no key of a server expires by its own clock while the held one stands.
rules = (
    st.builds(Bucket, st.integers(60_000_000, HOUR_US), st.integers(1, 6))
    | st.builds(Drain, st.integers(60_000_000, HOUR_US), st.integers(60_000_000, 5 * HOUR_US))
    | st.builds(Window, st.integers(60_000, 3_600_000), st.integers(1, 6))
    | st.builds(WindowCounter, st.integers(60_000, 3_600_000), st.integers(1, 6))
    | st.builds(Slots, st.integers(1, 3), st.integers(60_000_000, HOUR_US))
    | st.builds(lambda quota: replace(TODAY, quota=quota), st.integers(1, 6))
)
holders = st.sampled_from(["h1", "h2", "h3", "h4"])


@st.composite
def questions(draw: st.DrawFn) -> list[tuple[int, str, tuple[Charge, ...], bool]]:
    """Steps of (microseconds since the one before, ask or correct, charges, peek)."""
    chosen = draw(st.lists(rules, min_size=1, max_size=3))
    shadows = draw(st.lists(st.booleans(), min_size=3, max_size=3))
    elsewhere = draw(st.lists(st.sampled_from(["", "", "route"]), min_size=3, max_size=3))

    def charges(costs: tuple[int, ...], holder: str) -> tuple[Charge, ...]:
        return tuple(
            Charge(
                f"l{i}",
                rule,
                cost,
                subject=elsewhere[i],
                shadow=shadows[i],
                holder=holder if isinstance(rule, Slots) else "",
            )
            for i, (rule, cost) in enumerate(zip(chosen, costs, strict=True))
        )

    gap = st.just(0) | st.integers(0, 2 * HOUR_US)
    costs = st.tuples(*(st.integers(0, 4) for _ in chosen))
    asks = st.tuples(gap, st.just("ask"), st.builds(charges, costs, holders), st.booleans())
    units = st.tuples(*(st.integers(-3, 3) for _ in chosen))
    corrections = st.tuples(gap, st.just("correct"), st.builds(charges, units, holders), st.just(value=False))
    return draw(st.lists(asks | asks | corrections, max_size=12))


def in_a_place_of_its_own(charges: tuple[Charge, ...], subject: str, step: int) -> tuple[Charge, ...]:
    """Each example's own subjects; where a refusal gives back what was charged, nobody asks twice for a slot."""
    if len({c.subject for c in charges}) == 1:
        return tuple(c._replace(subject=f"{subject}-route") if c.subject else c for c in charges)
    return tuple(
        c._replace(subject=f"{subject}-route" if c.subject else "", holder=f"{c.holder}-{step}" if c.holder else "")
        for c in charges
    )


@examples
@given(history=questions(), turns=st.lists(st.booleans(), min_size=12, max_size=12))
def test_every_answer_is_the_pure_algorithms(clocked, new_subject, history, turns):
    subject, model, other = new_subject(), LimitsModel(), clocked.another()
    for step, ((gap_us, what, drawn, peek), mine) in enumerate(zip(history, turns, strict=False)):
        clocked.advance_us(gap_us)
        store, charges = (clocked.store if mine else other), in_a_place_of_its_own(drawn, subject, step)
        now = clocked.clock.wall_us()
        if what == "correct":
            store.settle(Settlement(subject, None, None, fenced=False, corrections=charges))
            model.correct(subject, charges, now)
            continue
        answer = store.admit(Question(subject, charges, peek=peek))
        admitted, limits = model.admit(Question(subject, charges, peek=peek), now)
        assert answer.admitted == admitted
        if admitted or len({c.subject for c in charges}) == 1:
            assert answer.limits == limits
        else:  # what a later subject refused, an earlier one gave back: its own state is looked at below
            refused = [state.allowed for state in answer.limits]
            assert not all(allowed or c.shadow for allowed, c in zip(refused, charges, strict=True))
            _, stands = model.admit(Question(subject, charges, peek=True), now)
            assert store.admit(Question(subject, charges, peek=True)).limits == stands


def test_a_slot_that_cost_nothing_is_given_back_with_the_others(rig, new_subject):
    subject = new_subject()
    refuses = Charge("two", Bucket(HOUR_US, 1), cost=2, subject=f"{subject}-route")
    assert not rig.store.admit(
        Question(subject, (Charge("one", Slots(1, HOUR_US), cost=0, holder="h1"), refuses))
    ).admitted
    assert rig.store.admit(Question(subject, (Charge("one", Slots(1, HOUR_US), holder="h2"),))).admitted


KINDS = {
    "bucket": Bucket(HOUR_US, 3),
    "leaky": Drain(60_000_000, 120_000_000),
    "window": Window(86_400_000, 3),
    "counter": WindowCounter(86_400_000, 3),
    "slots": Slots(3, HOUR_US),
}


@pytest.mark.parametrize("rule", KINDS.values(), ids=KINDS)
def test_on_the_real_clock_each_kind_admits_what_there_is(rig, new_subject, rule):
    subject = new_subject()
    asked = [Question(subject, (Charge("one", rule, holder=f"h{i}" if rule.kind == "c" else ""),)) for i in range(5)]
    answers = [rig.store.admit(question) for question in asked]
    assert [a.admitted for a in answers] == [True] * 3 + [False] * 2
    assert all(a.limits[0].retry_after_us > 0 for a in answers[3:])
    last = asked[2].charges[0]
    rig.store.settle(Settlement(subject, None, None, fenced=False, corrections=(last._replace(cost=-1),)))
    assert rig.store.admit(asked[3]).admitted


def test_a_peek_charges_nothing(rig, new_subject):
    subject = new_subject()
    look = Question(subject, (Charge("one", KINDS["window"]),), peek=True)
    assert [rig.store.admit(look).limits[0].remaining for _ in range(5)] == [3] * 5


def test_a_shadow_refuses_nobody_and_says_that_it_would(rig, new_subject):
    subject = new_subject()
    question = Question(subject, (Charge("one", Bucket(HOUR_US, 1), shadow=True), Charge("two", Bucket(HOUR_US, 3))))
    answers = [rig.store.admit(question) for _ in range(4)]
    assert [a.admitted for a in answers] == [True, True, True, False]
    assert [a.limits[0].allowed for a in answers] == [True, False, False, False]


def test_subjects_are_charged_all_or_none(rig, new_subject):
    mine, everybodys = new_subject(), new_subject()
    own, whole = Charge("own", Bucket(HOUR_US, 2)), Charge("whole", Bucket(HOUR_US, 5), subject=everybodys)
    answers = [rig.store.admit(Question(mine, (own, whole))) for _ in range(4)]
    assert [a.admitted for a in answers] == [True, True, False, False]
    [state] = rig.store.admit(Question(everybodys, (whole._replace(subject=""),), peek=True)).limits
    assert state.remaining == 3


def test_a_cost_beyond_what_a_limit_ever_admits_is_refused_for_good(rig, new_subject):
    for rule in (*(KINDS[kind] for kind in ("bucket", "leaky", "window", "counter")), replace(TODAY, quota=3)):
        [state] = rig.store.admit(Question(new_subject(), (Charge("one", rule, 4),))).limits
        assert (state.allowed, state.remaining, state.retry_after_us) == (False, 3, NEVER)


def test_counters_that_the_asker_brings_count(rig, new_subject):
    subject, quota = new_subject(), replace(TODAY, quota=5)
    brought = Charge("one", quota, known_counts=(quota.start_us, 4, quota.end_us))
    assert rig.store.admit(Question(subject, (brought,))).limits[0].remaining == 0
    assert not rig.store.admit(Question(subject, (brought._replace(known_counts=()),))).admitted


COUNTED = (KINDS["window"], KINDS["counter"], replace(TODAY, quota=3))


@pytest.mark.parametrize("rule", [KINDS["window"], KINDS["counter"]], ids=["window", "counter"])
def test_what_was_used_two_windows_ago_does_not_count(
    clocked: Rig, new_subject: Callable[[], str], rule: Window | WindowCounter
) -> None:
    question = Question(new_subject(), (Charge("one", rule, 3),))
    assert clocked.store.admit(question).admitted
    clocked.advance_us(2 * rule.window_ms * 1000 + 1)
    assert clocked.store.admit(question).limits[0].remaining == 0
    assert not clocked.store.admit(question).admitted


@pytest.mark.parametrize("rule", COUNTED, ids=lambda rule: rule.kind)
def test_counts_brought_beyond_those_kept_refuse_and_charge_nothing(clocked, new_subject, rule):
    elsewhere, here = new_subject(), new_subject()
    charge = Charge("one", rule)
    spent = [clocked.store.admit(Question(elsewhere, (charge,))) for _ in range(3)][-1]
    assert clocked.store.admit(Question(here, (charge,))).admitted
    answer = clocked.store.admit(Question(here, (charge._replace(known_counts=spent.limits[0].counts),)))
    assert (answer.admitted, answer.limits[0].allowed) == (False, False)
    assert clocked.store.admit(Question(here, (charge,))).limits[0].remaining == 1


def test_a_slot_whose_holder_died_is_free_after_its_lease(clocked, new_subject):
    subject, rule = new_subject(), Slots(1, 60_000_000)
    ask = [Question(subject, (Charge("one", rule, holder=holder),)) for holder in ("dead", "next")]
    assert clocked.store.admit(ask[0]).admitted
    assert not clocked.store.admit(ask[1]).admitted
    clocked.advance_us(60_000_000)
    assert clocked.store.admit(ask[1]).admitted


def test_a_slot_that_is_renewed_stays_taken(clocked, new_subject):
    subject, rule = new_subject(), Slots(1, 60_000_000)
    held = Charge("one", rule, holder="alive")
    assert clocked.store.admit(Question(subject, (held,))).admitted
    for _ in range(3):
        clocked.advance_us(40_000_000)
        clocked.store.settle(Settlement(subject, None, None, fenced=False, corrections=(held._replace(cost=0),)))
    assert not clocked.store.admit(Question(subject, (held._replace(holder="next"),))).admitted
