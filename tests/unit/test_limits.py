"""What a request is charged."""

import itertools

from tidegate import Policy, TokenBucket
from tidegate.mechanisms.limits import charges
from tidegate.routing import RoutePolicy


def keys(*limits: TokenBucket, route: str = "/a", method: str = "GET") -> list[str]:
    return [charge.key for charge in charges(RoutePolicy(route, method, Policy(limits=limits)))]


def test_each_limit_is_one_charge_with_its_bucket_and_cost():
    limit = TokenBucket("1/s", burst=5, cost=3)
    [charge] = charges(RoutePolicy("/a", "GET", Policy(limits=[limit])))
    assert (charge.bucket, charge.cost) == (limit.bucket, 3)


def test_every_route_method_and_limit_has_a_bucket_of_its_own():
    two = (TokenBucket("1/s"), TokenBucket("9/min"))
    every = [keys(*two, route=r, method=m) for r, m in itertools.product(["/a", "/b"], ["GET", "PUT"])]
    assert len(set(itertools.chain(*every))) == 8


def test_a_limit_that_is_called_like_anothers_place_has_a_bucket_of_its_own():
    assert len(set(keys(TokenBucket("1/s", name="1"), TokenBucket("9/min")))) == 2


def test_a_new_rate_hands_no_one_a_full_bucket():
    assert keys(TokenBucket("1/s")) == keys(TokenBucket("5/s", burst=50))


def test_a_named_limit_keeps_its_bucket_when_its_place_changes():
    named = TokenBucket("1/s", name="writes")
    assert keys(named)[0] == keys(TokenBucket("9/min"), named)[1]


def test_keys_are_short_and_safe_in_any_store():
    for key in keys(TokenBucket("1/s", name="{evil}:key #1"), route="/v1/{id}/ü"):
        assert len(key) == 8
        assert key.replace("-", "").replace("_", "").isalnum()
