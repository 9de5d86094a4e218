"""Limits, the same on every store."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.model import LimitsModel
from tidegate.limits.token_bucket import NEVER, Bucket
from tidegate.messages import Charge, LimitState, Question

HOUR_US = 3_600_000_000
# On the real clock nothing comes back while a test runs.
SLOW = Bucket(HOUR_US, burst=5)

# A fixture's store serves every example; each example has a subject of its own.
examples = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def ask(subject: str, *charges: Charge, min_deficit_us: int = 0) -> Question:
    return Question(subject, tuple(charge._replace(min_deficit_us=min_deficit_us) for charge in charges))


def said(state: LimitState) -> tuple[bool, int, int]:
    """A state without its debt, which falls while a test runs on a real clock."""
    return state.allowed, state.remaining, state.retry_after_us


def one(cost: int = 1, bucket: Bucket = SLOW) -> Charge:
    return Charge("one", bucket, cost)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, tuple[Charge, ...], int]]:
    """Steps of (microseconds since the one before, charges, known debt).

    Intervals are above a minute, so that no key of a server expires by its own clock while the held one stands.
    """
    buckets = draw(
        st.lists(st.builds(Bucket, st.integers(60_000_000, HOUR_US), st.integers(1, 6)), min_size=1, max_size=3)
    )
    gap = (
        st.just(0)
        | st.integers(0, 2 * max(b.depth_us for b in buckets))
        | st.sampled_from([b.interval_us for b in buckets])
    )
    costs = st.tuples(*(st.integers(1, bucket.burst + 1) for bucket in buckets))
    charges = costs.map(lambda c: tuple(Charge(f"b{i}", b, n) for i, (b, n) in enumerate(zip(buckets, c, strict=True))))
    return draw(st.lists(st.tuples(gap, charges, st.just(0) | st.integers(0, 10 * HOUR_US)), max_size=15))


@examples
@given(history=histories())
def test_every_answer_is_the_pure_functions(clocked, new_subject, history):
    subject, model = new_subject(), LimitsModel()
    for gap_us, charges, min_deficit_us in history:
        clocked.advance_us(gap_us)
        question = ask(subject, *charges, min_deficit_us=min_deficit_us)
        answer = clocked.store.admit(question)
        assert (answer.admitted, answer.limits) == model.admit(question, clocked.clock.wall_us())


@examples
@given(history=histories(), turns=st.lists(st.booleans(), min_size=15, max_size=15))
def test_two_environments_share_one_truth(clocked, new_subject, history, turns):
    subject, model, other = new_subject(), LimitsModel(), clocked.another()
    for (gap_us, charges, min_deficit_us), mine in zip(history, turns, strict=False):
        clocked.advance_us(gap_us)
        question = ask(subject, *charges, min_deficit_us=min_deficit_us)
        answer = (clocked.store if mine else other).admit(question)
        assert (answer.admitted, answer.limits) == model.admit(question, clocked.clock.wall_us())


def test_a_new_subject_has_its_whole_burst_and_no_more(rig, new_subject):
    subject = new_subject()
    answers = [rig.store.admit(ask(subject, one())) for _ in range(SLOW.burst + 2)]
    assert [a.admitted for a in answers] == [True] * SLOW.burst + [False] * 2
    assert [a.limits[0].remaining for a in answers] == [4, 3, 2, 1, 0, 0, 0]
    assert {a.store for a in answers} == {rig.place.name}


def test_a_refusal_says_when_the_same_request_could_pass(rig, new_subject):
    subject = new_subject()
    rig.store.admit(ask(subject, one(cost=5)))
    [state] = rig.store.admit(ask(subject, one(cost=2))).limits
    assert not state.allowed
    assert 2 * HOUR_US - 60_000_000 < state.retry_after_us <= 2 * HOUR_US


def test_subjects_and_keys_are_counted_apart(rig, new_subject):
    one_subject, other = new_subject(), new_subject()
    assert rig.store.admit(ask(one_subject, one(cost=5))).admitted
    assert rig.store.admit(ask(other, one(cost=5))).admitted
    assert rig.store.admit(ask(one_subject, Charge("other", SLOW, 5))).admitted
    assert not rig.store.admit(ask(one_subject, one())).admitted


def test_what_one_environment_spent_another_finds_spent(rig, new_subject):
    subject = new_subject()
    assert rig.store.admit(ask(subject, one(cost=5))).admitted
    assert not rig.another().admit(ask(subject, one())).admitted


def test_several_buckets_are_charged_all_or_none(rig, new_subject):
    subject, small = new_subject(), Bucket(HOUR_US, burst=2)
    both = ask(subject, one(), Charge("small", small))
    assert [rig.store.admit(both).admitted for _ in range(4)] == [True, True, False, False]
    [state] = rig.store.admit(ask(subject, one())).limits
    assert said(state) == (True, SLOW.burst - 3, 0)


def test_a_refusal_by_one_bucket_shows_what_is_left_of_each(rig, new_subject):
    subject, small = new_subject(), Bucket(HOUR_US, burst=1)
    both = ask(subject, one(), Charge("small", small))
    rig.store.admit(both)
    big_state, small_state = rig.store.admit(both).limits
    assert said(big_state) == (True, 4, 0)
    assert (small_state.allowed, small_state.remaining) == (False, 0)
    assert small_state.retry_after_us > 0


def test_a_refusal_charges_nothing(rig, new_subject):
    subject = new_subject()
    rig.store.admit(ask(subject, one(cost=3)))
    for _ in range(5):
        assert not rig.store.admit(ask(subject, one(cost=3))).admitted
    assert rig.store.admit(ask(subject, one(cost=2))).admitted


def test_a_cost_above_the_burst_is_refused_for_good_and_charges_nothing(rig, new_subject):
    subject = new_subject()
    [state] = rig.store.admit(ask(subject, one(cost=6))).limits
    assert said(state) == (False, 5, NEVER)
    assert rig.store.admit(ask(subject, one(cost=5))).admitted


def test_a_question_without_charges_is_admitted(rig, new_subject):
    answer = rig.store.admit(Question(new_subject()))
    assert (answer.admitted, answer.limits) == (True, ())


def test_an_unknown_bucket_starts_with_the_deficit_that_the_asker_knows(rig, new_subject):
    subject = new_subject()
    assert not rig.store.admit(ask(subject, one(), min_deficit_us=5 * HOUR_US)).admitted
    assert rig.store.admit(ask(subject, one(cost=2), min_deficit_us=3 * HOUR_US)).admitted
    assert not rig.store.admit(ask(subject, one())).admitted


def test_of_two_debts_of_a_bucket_the_larger_one_counts(rig, new_subject):
    subject = new_subject()
    assert rig.store.admit(ask(subject, one(cost=1))).admitted
    assert not rig.store.admit(ask(subject, one(), min_deficit_us=5 * HOUR_US)).admitted
    assert rig.store.admit(ask(subject, one(cost=3), min_deficit_us=2 * HOUR_US)).admitted
    assert not rig.store.admit(ask(subject, one())).admitted


def test_every_answer_says_how_far_the_bucket_is_in_debt(rig, new_subject):
    subject = new_subject()
    [charged] = rig.store.admit(ask(subject, one(cost=3))).limits
    [refused] = rig.store.admit(ask(subject, one(cost=4))).limits
    for state in (charged, refused):
        assert 3 * HOUR_US - 60_000_000 < state.debt_us <= 3 * HOUR_US


def test_the_fastest_and_the_slowest_bucket_are_decided(rig, new_subject):
    assert rig.store.admit(ask(new_subject(), one(bucket=Bucket(1, 1)))).admitted
    century = Bucket(interval_us=100 * 365 * 24 * HOUR_US, burst=1)
    subject = new_subject()
    assert [rig.store.admit(ask(subject, one(bucket=century))).admitted for _ in range(2)] == [True, False]


def test_a_probe_finds_a_store_that_is_well(rig):
    rig.store.probe()


def test_a_closed_store_opens_itself_again(rig, new_subject):
    rig.store.close()
    assert rig.store.admit(ask(new_subject(), one())).admitted
