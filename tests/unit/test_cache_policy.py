"""What a route may ask of the cache, and what it is told if it asks for something else."""

import pytest

from tidegate import Cache, ConfigurationError, Policy, TokenBucket, policy
from tidegate.cache import tags
from tidegate.cache_messages import Windows


def test_windows_are_milliseconds_and_staleness_covers_errors_too():
    assert Cache("30s", stale="5m").found == Windows(30_000, 300_000, 300_000)
    assert Cache("30s", stale_if_error="1h").found == Windows(30_000, 0, 3_600_000)
    assert Cache("30s", "5m", "1m").found == Windows(30_000, 300_000, 300_000)
    assert (Cache("1us").found.fresh_ms, Cache("1s", not_found="500ms").missing) == (1, Windows(500))


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"fresh": "soon"}, "fresh"),
        ({"fresh": "8d"}, "fresh"),
        ({"fresh": "1s", "stale": 30}, "stale"),
        ({"fresh": "1s", "stale_if_error": "30"}, "stale_if_error"),
        ({"fresh": "1s", "not_found": "0s"}, "not_found"),
        ({"fresh": "1s", "wait": "1m"}, "wait"),
        ({"fresh": "1s", "refresh": "later"}, "refresh"),
        ({"fresh": "1s", "vary": ("*",)}, "vary"),
        ({"fresh": "1s", "vary": "accept"}, "vary"),
        ({"fresh": "1s", "tags": "products"}, "tags"),
        ({"fresh": "1s", "query": "page"}, "query"),
    ],
)
def test_what_is_wrong_is_named(wrong, argument):
    with pytest.raises(ConfigurationError, match=rf"Cache\({argument}=…\)"):
        Cache(**wrong)


def test_an_idempotent_route_has_no_cache():
    with pytest.raises(ConfigurationError, match="idempotent"):
        Policy(idempotent=True, cache=Cache("1s"))


def test_a_cached_route_asks_the_stores_and_a_coalescing_one_does_not():
    assert not Policy(cache=Cache("1s")).asks_nothing
    assert Policy(coalesce=True).asks_nothing
    assert policy(limits=[TokenBucket("1/s")], cache=Cache("1s"), coalesce=True)


def test_a_tag_is_filled_from_the_path():
    made = tags.filled(("product:{product_id}", "products"), "/v1/products/{product_id}", "/v1/products/lamp")
    assert made == ("product:lamp", "products")
    assert tags.filled(("file:{path}",), "/files/{path:path}", "/files/a/b") == ("file:a/b",)


def test_a_tag_that_the_path_cannot_fill_is_refused():
    tags.check(("product:{product_id}",), "/v1/products/{product_id}")
    with pytest.raises(ConfigurationError, match="product_id"):
        tags.check(("product:{id}",), "/v1/products/{product_id}")
