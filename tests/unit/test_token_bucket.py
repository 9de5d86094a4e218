"""The pure token bucket: the truth that every store is compared with."""

import itertools

from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate.limits.token_bucket import NEVER, Bucket, Taken, start_of_debt, take

EPOCH_US = 1_800_000_000_000_000

buckets = st.builds(Bucket, st.integers(1, 3_600_000_000), st.integers(1, 1000))


def states(bucket: Bucket) -> st.SearchStrategy[int | None]:
    """What may be stored: nothing, a TAT long past, or any debt that the bucket can be in."""
    return st.none() | st.integers(EPOCH_US - 2 * bucket.depth_us, EPOCH_US + bucket.depth_us)


def debts(bucket: Bucket) -> st.SearchStrategy[int]:
    """What the asker may know of."""
    return st.just(0) | st.integers(0, bucket.depth_us) | st.just(bucket.depth_us)


def decide(tat_us: int | None, bucket: Bucket, cost: int, min_deficit_us: int = 0, after_us: int = 0) -> Taken:
    """Decide so many microseconds after the epoch of these tests; a known debt falls meanwhile."""
    return take(tat_us, EPOCH_US + after_us, bucket, cost, max(0, min_deficit_us - after_us))


@st.composite
def decisions(draw: st.DrawFn) -> tuple[int | None, Bucket, int, int]:
    bucket = draw(buckets)
    return draw(states(bucket)), bucket, draw(st.integers(1, bucket.burst + 5)), draw(debts(bucket))


@given(buckets, st.lists(st.tuples(st.integers(0, 10_000_000), st.integers(1, 50)), max_size=60))
def test_no_window_admits_more_than_burst_and_what_refills_in_it(bucket, requests):
    tat, now, admitted = None, EPOCH_US, []
    for gap_us, cost in requests:
        now += gap_us
        taken = take(tat, now, bucket, cost)
        if taken.allowed:
            tat = taken.tat_us
            admitted.append((now, cost))
    for (i, (begin, _)), (j, (end, _)) in itertools.combinations_with_replacement(enumerate(admitted), 2):
        spent = sum(cost for _, cost in admitted[i : j + 1])
        assert spent * bucket.interval_us <= bucket.depth_us + (end - begin)


@given(buckets, st.integers(1, 100))
def test_an_idle_bucket_admits_exactly_its_burst_at_once(bucket, cost):
    tat, spent = None, 0
    for _ in range(bucket.burst // cost):
        taken = take(tat, EPOCH_US, bucket, cost)
        assert taken.allowed
        tat, spent = taken.tat_us, spent + cost
        assert taken.remaining == bucket.burst - spent
    assert not take(tat, EPOCH_US, bucket, bucket.burst - spent + 1).allowed


@given(buckets, st.data())
def test_the_same_request_is_admitted_exactly_when_retry_after_has_passed(bucket, data):
    tat, cost = data.draw(states(bucket)), data.draw(st.integers(1, bucket.burst))
    too_much = bucket.depth_us - cost * bucket.interval_us + 1
    known_debt = data.draw(st.integers(too_much, bucket.depth_us))
    refused = decide(tat, bucket, cost, known_debt)
    assert not refused.allowed
    assert refused.retry_after_us >= 1
    assert not decide(tat, bucket, cost, known_debt, after_us=refused.retry_after_us - 1).allowed
    assert decide(tat, bucket, cost, known_debt, after_us=refused.retry_after_us).allowed


@given(decisions())
def test_remaining_is_what_can_be_spent_right_after(decision):
    tat, bucket, cost, known_debt = decision
    taken = decide(tat, bucket, cost, known_debt)
    stored = taken.tat_us if taken.allowed else tat
    assert 0 <= taken.remaining <= bucket.burst
    assert decide(stored, bucket, taken.remaining, known_debt).allowed
    assert not decide(stored, bucket, taken.remaining + 1, known_debt).allowed


@given(decisions())
def test_an_admission_moves_the_tat_by_its_cost_and_waits_for_nothing(decision):
    tat, bucket, cost, known_debt = decision
    taken = decide(tat, bucket, cost, known_debt)
    assume(taken.allowed)
    assert taken.tat_us == start_of_debt(tat, EPOCH_US, known_debt) + cost * bucket.interval_us
    assert taken.retry_after_us == 0


@given(decisions())
def test_a_refusal_changes_nothing(decision):
    tat, bucket, cost, known_debt = decision
    refused = decide(tat, bucket, cost, known_debt)
    assume(not refused.allowed)
    assert refused.tat_us == start_of_debt(tat, EPOCH_US, known_debt)
    assert decide(refused.tat_us, bucket, cost, known_debt) == refused


@given(decisions(), st.integers(0, 10_000_000))
def test_later_and_cheaper_never_fare_worse(decision, later_us):
    tat, bucket, cost, known_debt = decision
    now, later = (decide(tat, bucket, cost, known_debt, after_us=us) for us in (0, later_us))
    cheaper = decide(tat, bucket, cost - 1, known_debt)
    assert now.allowed <= later.allowed
    assert now.allowed <= cheaper.allowed
    left, left_later = (decide(tat, bucket, 0, known_debt, after_us=us).remaining for us in (0, later_us))
    assert left <= left_later


@given(buckets, st.data())
def test_a_cost_above_the_burst_is_refused_for_good(bucket, data):
    tat, known_debt = data.draw(states(bucket)), data.draw(debts(bucket))
    refused = decide(tat, bucket, bucket.burst + 1, known_debt)
    assert not refused.allowed
    assert refused.retry_after_us == NEVER
    assert not decide(tat, bucket, bucket.burst + 1, known_debt, after_us=10 * bucket.depth_us).allowed


@given(buckets, st.data())
def test_a_debt_that_the_asker_knows_of_is_as_good_as_a_stored_one(bucket, data):
    debt = data.draw(st.integers(0, bucket.depth_us))
    assert decide(None, bucket, 1, debt) == decide(EPOCH_US + debt, bucket, 1)


@given(buckets, st.data())
def test_of_a_stored_and_a_known_debt_the_larger_one_counts(bucket, data):
    tat, debt = data.draw(states(bucket)), data.draw(debts(bucket))
    left = decide(tat, bucket, 0, debt).remaining
    assert left == min(decide(tat, bucket, 0).remaining, decide(None, bucket, 0, debt).remaining)


def test_the_smallest_bucket_admits_one_a_period():
    bucket = Bucket(interval_us=1, burst=1)
    first = take(None, EPOCH_US, bucket)
    assert first.allowed
    assert take(first.tat_us, EPOCH_US, bucket).retry_after_us == 1
    assert take(first.tat_us, EPOCH_US + 1, bucket).allowed
