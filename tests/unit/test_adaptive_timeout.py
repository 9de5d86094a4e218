"""A timeout that follows what is seen of a server, within what is allowed."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.redis_driver.adaptive_timeout import KNOWN_AFTER, LEAST_S, AdaptiveTimeout

LONGEST_S = 0.333


def known(took_s: float = 0.0003) -> AdaptiveTimeout:
    timeout = AdaptiveTimeout(LONGEST_S)
    for _ in range(KNOWN_AFTER):
        timeout.answered(took_s)
    return timeout


def test_a_server_that_isnt_known_is_waited_for_as_long_as_allowed():
    timeout = AdaptiveTimeout(LONGEST_S)
    for _ in range(KNOWN_AFTER - 1):
        timeout.answered(0.0003)
    timeout.expired()
    assert timeout.seconds == LONGEST_S


def test_a_quick_server_is_given_up_soon():
    assert known().seconds == LEAST_S


def test_a_slow_server_is_given_its_time():
    assert known(0.05).seconds >= 0.1


def test_a_pause_that_was_seen_is_waited_for_the_next_time():
    timeout = known()
    timeout.answered(0.03)
    for _ in range(100):
        timeout.answered(0.0003)
    assert timeout.seconds > 0.05


def test_a_pause_is_forgotten():
    timeout = known()
    timeout.answered(0.03)
    for _ in range(10_000):
        timeout.answered(0.0003)
    assert timeout.seconds == LEAST_S


def test_while_a_server_hangs_a_few_waits_are_longer_and_the_rest_short():
    timeout, waits = known(), []
    for _ in range(64):
        waits.append(timeout.seconds)
        timeout.expired()
    assert waits[:3] == [LEAST_S, 2 * LEAST_S, 4 * LEAST_S]
    assert sorted(waits)[-5:] == [4 * LEAST_S, *[LONGEST_S] * 4]


def test_one_that_is_slower_for_good_is_found_again():
    timeout = known()
    while timeout.seconds < 0.2:
        timeout.expired()
    timeout.answered(0.2)
    assert timeout.seconds >= 0.2


def test_a_fixed_timeout_stays():
    timeout = AdaptiveTimeout(LONGEST_S, adapts=False)
    for _ in range(KNOWN_AFTER):
        timeout.answered(0.0003)
    timeout.expired()
    assert timeout.seconds == LONGEST_S


@given(st.lists(st.one_of(st.none(), st.floats(0, 2)), max_size=40))
def test_it_is_never_longer_than_allowed_nor_shorter_than_a_pause(seen):
    timeout = known()
    for took_s in seen:
        timeout.expired() if took_s is None else timeout.answered(took_s)
        assert LEAST_S <= timeout.seconds <= LONGEST_S
