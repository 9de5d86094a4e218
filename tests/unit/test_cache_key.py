"""Two requests have one key only if they may have one answer."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.wire import http_scope
from tidegate import Cache
from tidegate.cache.key import Owner, cache_key, is_private
from tidegate.identity.caller import caller_of
from tidegate.identity.credentials import beside_the_principal
from tidegate.identity.dependants import NOTHING

ROUTE = "/products/{id}"
OWN, SHARED = Cache("1s"), Cache("1s", shared=True)


def key(cache=OWN, principal="key:ann", path="/products/1", query="", method="GET", **headers):
    scope = http_scope(method, path, headers, query_string=query.encode())
    return cache_key(cache, scope, ROUTE, owner(scope, principal))


def owner(scope, principal="key:ann"):
    return Owner(principal, beside_the_principal(scope, caller_of(principal), NOTHING, b"pepper"))


def test_the_order_of_values_counts_within_one_parameter_name_only():
    assert key(query="a=1&b=2") == key(query="b=2&a=1")
    assert key(query="a=1&a=2") != key(query="a=2&a=1")
    assert key(query="a=") != key(query="")


def test_only_the_chosen_parameters_make_a_difference():
    chosen = Cache("1s", query=("page",))
    assert key(chosen, query="page=1&utm=x") == key(chosen, query="page=1&utm=y")
    assert key(chosen, query="page=1") != key(chosen, query="page=2")
    assert key(Cache("1s", query=()), query="page=1") == key(Cache("1s", query=()))


def test_method_path_and_chosen_fields_make_a_difference():
    assert len({key(), key(method="HEAD"), key(path="/products/2")}) == 3
    varying = Cache("1s", vary=("Accept-Language",))
    assert key(varying, **{"accept-language": "de"}) != key(varying, **{"accept-language": "en"})
    assert key(**{"accept-language": "de"}) == key(**{"accept-language": "en"})


def test_what_is_not_shared_is_the_principals_own():
    assert key(principal="key:ann") != key(principal="key:bob")
    assert key(SHARED, principal="key:ann") == key(SHARED, principal="key:bob")


@pytest.mark.parametrize("name", ["authorization", "cookie", "proxy-authorization", "x-session", "x-forwarded-user"])
def test_credentials_are_never_shared(name):
    for cache in (OWN, SHARED):
        assert len({key(cache), key(cache, **{name: "a"}), key(cache, **{name: "b"})}) == 3
    assert is_private(SHARED, owner(http_scope("GET", "/", {name: "a"})))
    assert not is_private(SHARED, owner(http_scope("GET", "/", {"x-api-key": "a"})))
    assert is_private(SHARED, owner(http_scope("GET", "/", {"x-api-key": "a"}), "ip:192.0.2.1"))


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=5), st.randoms())
def test_no_two_sets_of_parameters_run_into_one(pairs, random):
    shuffled = pairs[:]
    random.shuffle(shuffled)
    same = sorted(pairs, key=lambda p: p[0]) == sorted(shuffled, key=lambda p: p[0])
    assert (key(query=urlencode(pairs)) == key(query=urlencode(shuffled))) == same
    assert key(query=urlencode([*pairs, ("more", "1")])) != key(query=urlencode(pairs))
