"""The sliding window against a log of every unit: never more in any stretch, nor much less than the log would admit."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.decision import MOST_UNITS, NEVER, Known
from tidegate.limits.sliding_window import MOST_PARTS, PARTS, Window
from tidegate.stores.redis.packed_window import packed, unpacked

NOW_US = 1_800_000_000_000_000
NOTHING = Known()

windows = st.builds(Window, st.integers(1, 40) | st.integers(1, 86_400_000), st.integers(1, 30))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Window, list[tuple[int, int]]]:
    """A window, and requests as (microseconds since the one before, cost): bursts, trickles and pauses."""
    window = draw(windows)
    length_us = window.window_ms * 1000
    gap = (
        st.just(0)
        | st.integers(0, length_us // 8)
        | st.integers(0, 2 * length_us)
        | st.sampled_from([length_us, length_us - 1, length_us + window.tick_us, length_us // PARTS])
    )
    return window, draw(st.lists(st.tuples(gap, st.integers(0, window.quota + 1)), max_size=50))


class Log:
    """Every unit admitted, and when."""

    def __init__(self, window: Window) -> None:
        self.length_us = window.window_ms * 1000
        self.admitted: list[tuple[int, int]] = []

    def within(self, stretch_us: int, now_us: int) -> int:
        """Units of the stretch that ends now, both its ends included."""
        return sum(units for at, units in self.admitted if now_us - stretch_us <= at <= now_us)

    def most(self) -> int:
        """The most units in any stretch of the window's length."""
        return max([0, *(self.within(self.length_us, at) for at, _ in self.admitted)])


@given(histories())
@example((Window(1000, 100), [(999_999, 100), (1, 99), (2_000_000, 100), (999_999, 100)]))
def test_no_stretch_of_its_length_holds_more_than_the_quota(history):
    window, asked = history
    state, now, log = None, NOW_US, Log(window)
    for gap_us, cost in asked:
        now += gap_us
        decision = window.decide(state, now, cost, NOTHING)
        if decision.allowed:
            state = decision.kept
            log.admitted.append((now, cost))
    assert log.most() <= window.quota


@given(histories())
def test_it_refuses_nothing_that_a_fourteenth_longer_log_would_admit(history):
    window, asked = history
    state, now, log = None, NOW_US, Log(window)
    longer_us = log.length_us + 257 * window.tick_us  # a fourteenth of 3584 ticks, and the one that a moment lies in
    for gap_us, cost in asked:
        now += gap_us
        decision = window.decide(state, now, cost, NOTHING)
        assert decision.allowed or log.within(longer_us, now) + cost > window.quota
        if decision.allowed:
            state = decision.kept
            log.admitted.append((now, cost))


@given(histories())
def test_a_retry_that_waits_as_told_passes_and_not_before(history):
    window, asked = history
    state, now = None, NOW_US
    for gap_us, cost in asked:
        now += gap_us
        decision = window.decide(state, now, cost, NOTHING)
        if decision.allowed:
            state = decision.kept
        elif decision.uncharged.retry_after_us != NEVER:
            at = now + decision.uncharged.retry_after_us
            assert window.decide(state, at, cost, NOTHING).allowed
            assert not window.decide(state, at - 1, cost, NOTHING).allowed


def test_a_burst_is_forgotten_a_window_after_it_and_a_tick():
    window = Window(60_000, 100)
    spent = window.decide(None, NOW_US + 7, 100, NOTHING)
    wait = window.decide(spent.kept, NOW_US + 7, 1, NOTHING).uncharged.retry_after_us
    assert 60_000_000 < wait <= 60_000_000 + window.tick_us
    assert window.tick_us <= 17_000


def test_a_caller_at_twice_the_limit_gets_nearly_all_of_it():
    window, state, admitted = Window(1000, 100), None, 0
    for step in range(4000):
        decision = window.decide(state, NOW_US + step * 5000, 1, NOTHING)
        if decision.allowed:
            state = decision.kept
            admitted += 1
    assert 2000 * PARTS // (PARTS + 1) <= admitted <= 2000


@given(histories(), st.data())
def test_a_unit_given_back_late_lets_no_more_through_than_were_used(history, data):
    """What was charged is corrected after the run: the log holds what each request turned out to cost."""
    window, asked = history
    state, now, log, open_charges = None, NOW_US, Log(window), []
    for gap_us, cost in asked:
        now += gap_us
        decision = window.decide(state, now, cost, NOTHING)
        if decision.allowed:
            state = decision.kept
            log.admitted.append((now, cost))
            open_charges.append((len(log.admitted) - 1, cost, decision.charged.counts))
        if open_charges and data.draw(st.booleans()):
            place, charged, stood = open_charges.pop(data.draw(st.integers(0, len(open_charges) - 1)))
            due = data.draw(st.integers(0, charged))
            state = window.corrected(state, now, due - charged, Known(counts=stood))
            log.admitted[place] = log.admitted[place][0], due
            counted = sum(window.seen(now, state)[1::2])
            assert counted >= log.within(log.length_us, now)
    assert log.most() <= window.quota


@given(histories(), histories())
def test_of_two_tales_none_is_forgotten(one, other):
    window, states = one[0], []
    for _, asked in (one, other):
        state, now = None, NOW_US
        for gap_us, cost in asked:
            now += gap_us
            decision = window.decide(state, now, cost, NOTHING)
            state = decision.kept if decision.allowed else state
        states.append(state or ())
    mine, theirs = states
    both = window.merged(mine, theirs, NOW_US)
    at = max(NOW_US, *((state[0] - 1) * window.tick_us for state in states if state), 0)
    assert both == window.seen(at, mine, theirs)
    for snapshot in states:
        assert sum(both[1::2]) >= sum(window.seen(at, snapshot)[1::2])


def test_a_tale_that_goes_on_is_taken_as_it_is():
    window, state, now = Window(1000, 100), None, NOW_US
    for step in range(300):
        now += (7_001, 40_000, 0, 90_000)[step % 4]
        decision = window.decide(state, now, 1, NOTHING)
        if decision.allowed:
            before, state = state or (), decision.kept
            assert window.merged(before, state, now) is window.seen(now, state) is state
            assert window.merged(before, state, now) == window.seen(now, before, state) == state


def test_units_of_a_clock_ahead_are_not_counted_for_ever():
    """An environment whose clock is behind its store's hears of later and later parts, and forgets the early ones."""
    window, state, known = Window(1000, 10), None, ()
    for step in range(200):
        now = NOW_US + step * 110_000
        decision = window.decide(state, now, 1, Known(counts=known))
        assert decision.allowed
        state = decision.kept
        known = window.merged(known, decision.charged.counts, now - 700_000)
        assert len(known) <= 2 * MOST_PARTS


def test_a_window_used_evenly_before_comes_free_at_its_pace():
    window = Window(60_000, 140)
    for asked_after_s, room in ((0, 0), (5, 10), (31, 70), (62, 140), (600, 140)):
        at = NOW_US + asked_after_s * 1_000_000
        state = window.evenly_used(None, at, NOW_US, NOTHING)
        assert window.decide(state, at, 0, NOTHING).uncharged.remaining == room


states = st.builds(
    lambda latest, parts: tuple(
        number for n, (tick, units) in enumerate(parts) if units for number in ((latest - n) * 256 + tick, units)
    ),
    st.integers(100, 2**44),
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 300) | st.integers(0, MOST_UNITS)), max_size=MOST_PARTS),
)


@given(states)
def test_what_is_packed_is_read_as_it_was(state):
    assert unpacked(packed(state)) == state


@given(st.lists(st.integers(1, 65_535), min_size=15, max_size=15))
def test_a_full_window_takes_fifty_two_bytes_at_most(units):
    state = tuple(number for n, held in enumerate(units) for number in ((10**9 - n) * 256, held))
    assert len(packed(state)) <= 52


@given(st.binary(max_size=80))
def test_bytes_that_are_none_of_ours_say_nothing_or_a_window(told):
    state = unpacked(told)
    assert len(state) % 2 == 0
    assert all(units > 0 for units in state[1::2])
