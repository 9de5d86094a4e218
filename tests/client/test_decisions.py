"""The pure decisions: pauses, budget, throttling, what is worth a retry."""

import ssl
from random import Random

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.client.backoff import Backoff
from tidegate.client.budget import RetryBudget
from tidegate.client.idempotency import is_keyed, may_repeat, new_key, wants_key
from tidegate.client.scope import scope_of
from tidegate.client.throttle import MOST_REFUSED, UNSUSPECTED, WELL_AFTER, WINDOW_S, Throttle
from tidegate.client.verdict import is_accepted, is_passing, is_worth_retrying
from tidegate.errors import ConfigurationError

METHODS = st.sampled_from(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "CONNECT", "LOCK"])
SEEDS = st.integers(min_value=0, max_value=2**32)


@given(st.floats(0.001, 10), st.floats(1, 100), st.integers(0, 10_000), SEEDS)
def test_a_pause_is_anything_up_to_its_ceiling(first_s, times, retry, seed):
    backoff = Backoff(first_s, first_s * times)
    assert 0 <= backoff.pause_s(retry, Random(seed)) <= backoff.ceiling_s(retry) <= backoff.longest_s
    assert backoff.ceiling_s(0) == backoff.first_s
    assert backoff.ceiling_s(retry) <= backoff.ceiling_s(retry + 1)


@given(SEEDS)
def test_pauses_are_spread_over_the_whole_time(seed):
    random, backoff = Random(seed), Backoff(1, 1)
    drawn = sorted(backoff.pause_s(3, random) for _ in range(400))
    assert drawn[40] < 0.25
    assert drawn[360] > 0.75


@pytest.mark.parametrize(("first_s", "longest_s"), [(0, 1), (-1, 1), (2, 1)])
def test_a_backoff_that_does_not_grow_is_refused(first_s, longest_s):
    with pytest.raises(ConfigurationError):
        Backoff(first_s, longest_s)


@given(st.floats(0, 1), st.integers(1, 20), st.lists(st.booleans(), max_size=400))
def test_retries_in_any_window_are_bounded_by_tokens_and_requests(ratio, tokens, is_retry):
    budget = RetryBudget(ratio, tokens)
    taken, paid = [], []
    for retry in is_retry:
        if not retry:
            budget.deposit()
        taken.append(retry and budget.withdraw())
        paid.append(not retry)
        assert 0 <= budget.tokens <= tokens
    for since in range(0, len(taken), 7):
        assert sum(taken[since:]) <= tokens + (ratio + 0.0005) * sum(paid[since:])


@given(st.integers(1, 200))
def test_ten_requests_pay_for_one_retry_exactly(tens):
    budget = RetryBudget(0.1, 1)
    assert budget.withdraw()
    for _ in range(tens):
        for _ in range(9):
            budget.deposit()
            assert not budget.withdraw()
        budget.deposit()
        assert budget.withdraw()


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=200))
def test_the_share_that_is_refused_is_the_book_s_of_the_last_two_minutes(history):
    throttle, now_s, all_of_it = Throttle(2), 0.0, []
    for pause_s, accepted in history:
        now_s += pause_s
        throttle.record(now_s, accepted=accepted)
        all_of_it.append((now_s, accepted))
    bin_s = WINDOW_S / 24
    recent = [accepted for at_s, accepted in all_of_it if at_s // bin_s > now_s // bin_s - 24]
    by_the_book = max(0.0, (len(recent) - UNSUSPECTED - 2 * sum(recent)) / (len(recent) + 1))
    is_well = len(history) >= WELL_AFTER and all(accepted for _, accepted in history[-WELL_AFTER:])
    assert throttle.probability(now_s) == pytest.approx(0 if is_well else min(MOST_REFUSED, by_the_book))
    assert throttle.probability(now_s + WINDOW_S + bin_s) == 0


@given(st.integers(0, 500), st.integers(0, 500), SEEDS)
def test_nothing_is_refused_while_half_is_accepted(accepts, refusals, seed):
    throttle = Throttle(2)
    for accepted in [True] * accepts + [False] * refusals:
        throttle.record(0, accepted=accepted)
    if refusals <= accepts + UNSUSPECTED:
        assert throttle.admits(0, Random(seed))


def asked(throttle, random, since_s, until_s, accepts):
    """Ask ten times a second; return when each was sent."""
    sent = []
    for tenth in range(since_s * 10, until_s * 10):
        if throttle.admits(tenth / 10, random):
            throttle.record(tenth / 10, accepted=random.random() < accepts)
            sent.append(tenth / 10)
    return sent


@settings(max_examples=10)
@given(SEEDS)
def test_a_dead_server_is_still_tried_and_served_as_soon_as_it_is_well(seed):
    throttle, random = Throttle(2), Random(seed)
    dead = asked(throttle, random, 0, 600, accepts=0)
    assert 0.05 < len([at for at in dead if at >= 120]) / 4800 < 0.15
    well = asked(throttle, random, 600, 660, accepts=1)
    assert well[WELL_AFTER:] == [tenth / 10 for tenth in range(round(well[WELL_AFTER] * 10), 6600)]


@settings(max_examples=10)
@given(SEEDS)
def test_a_server_that_is_short_gets_about_twice_what_it_accepts(seed):
    throttle, random = Throttle(2), Random(seed)
    capacity_per_s, sent, accepted = 2, 0, 0
    for second in range(600):
        served = 0
        for tenth in range(10):
            now_s = second + tenth / 10
            if throttle.admits(now_s, random):
                throttle.record(now_s, accepted=served < capacity_per_s)
                sent, accepted, served = sent + 1, accepted + (served < capacity_per_s), served + 1
    assert accepted > 0.95 * 600 * capacity_per_s
    assert 1.5 < sent / accepted < 2.5


@given(METHODS, st.booleans())
def test_only_idempotent_requests_may_be_repeated(method, has_key):
    if method in {"POST", "PATCH"}:
        assert may_repeat(method, has_key=has_key) == has_key == is_keyed(method, has_key=has_key)
    else:
        assert may_repeat(method, has_key=has_key) == (method not in {"CONNECT", "LOCK"})
        assert not is_keyed(method, has_key=has_key)


@given(st.integers(100, 599), st.booleans(), st.booleans())
def test_no_4xx_is_worth_a_retry_but_the_quota_s_and_a_key_in_progress(status, keyed, has_retry_after):
    worth = is_worth_retrying(status, keyed=keyed, has_retry_after=has_retry_after)
    if status == 409:
        assert worth == (keyed and has_retry_after)
    else:
        assert worth == (status in {429, 502, 503, 504})
    assert is_accepted(status) == (status not in {429, 502, 503, 504})


@pytest.mark.parametrize(
    ("fault", "passing"),
    [
        (httpx.ConnectError, True),
        (httpx.ConnectTimeout, True),
        (httpx.ReadError, True),
        (httpx.ReadTimeout, True),
        (httpx.WriteError, True),
        (httpx.RemoteProtocolError, True),
        (httpx.PoolTimeout, False),
        (httpx.ProxyError, False),
        (httpx.UnsupportedProtocol, False),
        (httpx.LocalProtocolError, False),
    ],
)
def test_faults_of_the_connection_pass_and_our_own_do_not(fault, passing):
    assert is_passing(fault("…")) == passing


def test_a_certificate_that_is_not_trusted_stays_so():
    fault = httpx.ConnectError("…")
    fault.__cause__ = OSError()
    fault.__cause__.__context__ = ssl.SSLCertVerificationError()
    assert not is_passing(fault)


@given(st.text(), METHODS)
def test_any_path_has_a_scope(path, method):
    assert scope_of(method, path).startswith(f"{method} ")
    assert scope_of(method, path).count("/") == path.count("/")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/orders", "/v1/orders"),
        ("/v1/orders/8731", "/v1/orders/{}"),
        ("/v1/orders/8e03978e-40d5-43e8-bc93-6894a57f9324/items/2", "/v1/orders/{}/items/{}"),
        ("/v1/orders/01J9ZQ3F7VXKQ8M4N5P6R7S8T9", "/v1/orders/{}"),
        ("/v1/charges/ch_3MmlLrLkdIwHu7ix0snN0B15", "/v1/charges/{}"),
        ("/v1/organisation-settings/", "/v1/organisation-settings/"),
    ],
)
def test_ids_are_no_part_of_a_scope(path, route):
    assert scope_of("GET", path) == f"GET {route}"


def test_keys_are_made_where_they_are_wanted():
    assert wants_key("POST", "/v1/orders", keys_for=True)
    assert wants_key("PATCH", "/v1/orders", keys_for=("/v1/*",))
    assert not wants_key("POST", "/v1/orders", keys_for=False)
    assert not wants_key("POST", "/v2/orders", keys_for=("/v1/*", "/v2/carts"))
    assert not wants_key("PUT", "/v1/orders", keys_for=True)
    assert wants_key("POST", "/v1/orders", keys_for=("v1/orders",))
    assert new_key() != new_key()
