"""The cache through the whole application, on both faces: fields are read by http_sf, not by regular expressions."""

import asyncio

import pytest
from fastapi import FastAPI, Request

from tests.harness.cache_status import told
from tests.http.cached import AMPLE, Catalogue, control
from tidegate import Cache, ConfigurationError, Policy, TokenBucket, policy, protect

TAGGED = ("product:{product_id}",)


@pytest.fixture
def catalogue():
    return Catalogue(stale="1h", not_found="1h", tags=TAGGED, query=("page",), vary=("accept-language",))


@pytest.fixture
def api(run, stores, catalogue):
    return run(catalogue.app, stores.settings())


def test_a_miss_is_computed_and_kept_and_the_next_is_a_hit(api, catalogue, log):
    first, second = (api.get("/products/a", key="ann") for _ in range(2))
    assert (first.json()["number"], second.content) == (1, first.content)
    assert told(first) == {"fwd": "uri-miss", "fwd-status": 200, "ttl": 3600, "stored": True}
    assert told(second)["hit"] is True
    assert 3590 <= told(second)["ttl"] <= 3600
    assert "age" not in first.headers
    assert 0 <= int(second.headers["age"]) < 10
    assert second.headers["etag"] == first.headers["etag"]
    expected = {"private": True, "max-age": 3600, "stale-while-revalidate": 3600, "stale-if-error": 3600}
    assert control(first) == control(second) == expected
    assert second.headers["vary"] == "accept-language"
    assert "ratelimit" in second.headers
    assert [line["cache"] for line in log.requests] == ["computed", "hit"]
    assert catalogue.calls["/products/a"] == 1


def test_a_hit_is_one_round_trip_and_a_miss_one_more(api, stores):
    api.get("/products/warm", key="ann")
    stores.to_redis.reset_counts()
    api.get("/products/a", key="ann")
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (2, ["EVALSHA", "EVALSHA"])
    stores.to_redis.reset_counts()
    api.get("/products/a", key="ann")
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (1, ["EVALSHA"])


def test_a_client_that_has_it_is_not_sent_it_again(api):
    whole = api.get("/products/a", key="ann")
    none = api.get("/products/a", key="ann", headers={"if-none-match": whole.headers["etag"]})
    assert (none.status_code, none.content) == (304, b"")
    assert none.headers["etag"] == whole.headers["etag"]
    assert control(none) == control(whole)
    assert told(none)["hit"] is True
    assert "ratelimit" not in none.headers
    other = api.get("/products/a", key="ann", headers={"if-none-match": '"other"'})
    assert other.status_code == 200


def test_callers_have_copies_of_their_own(api):
    ann, bob = (api.get("/products/a", key=key).json() for key in ("ann", "bob"))
    assert ann["who"] != bob["who"]
    for cookie in ("a=1", "a=2"):
        assert "hit" not in told(api.get("/products/a", key="ann", headers={"cookie": cookie}))


def test_what_is_shared_is_one_for_all_but_for_those_with_credentials(run, stores):
    catalogue = Catalogue(shared=True)
    api = run(catalogue.app, stores.settings())
    first, second = api.get("/products/a", key="ann"), api.get("/products/a", key="bob")
    assert second.content == first.content
    assert control(first) == {"max-age": 3600}
    own = [api.get("/products/a", key="ann", headers={"authorization": f"Bearer {i}"}) for i in (1, 2, 2)]
    assert ["hit" in told(answer) for answer in own] == [False, False, True]
    assert "private" in control(own[0])


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({"set-cookie": "a=1"}, "set-cookie"), ({"cache-control": "no-store"}, "no-store"), ({"vary": "*"}, "vary")],
)
def test_what_may_not_be_kept_is_not(api, catalogue, headers, reason):
    catalogue.headers = headers
    first, second = (api.get("/products/a", key="ann") for _ in range(2))
    assert first.json() != second.json()
    assert told(second) == {"fwd": "uri-miss", "fwd-status": 200, "detail": reason}
    assert control(second) == {"no-store": True}


def test_only_what_was_chosen_makes_a_difference(api, catalogue):
    for path in ("/products/a?page=1&x=1", "/products/a?x=2&page=1"):
        api.get(path, key="ann")
    api.get("/products/a?page=2", key="ann")
    api.get("/products/a?page=2", key="ann", headers={"accept-language": "de"})
    assert catalogue.calls["/products/a"] == 3


def test_a_404_is_kept_for_as_long_as_the_route_says(api, catalogue):
    catalogue.status = 404
    first, second = (api.get("/products/a", key="ann") for _ in range(2))
    assert (first.status_code, second.status_code) == (404, 404)
    assert second.headers["content-type"] == "application/problem+json"
    assert told(second)["hit"] is True
    assert control(second) == {"private": True, "max-age": 3600}
    assert catalogue.calls["/products/a"] == 1


def test_a_refusal_takes_no_lease_gives_no_copy_and_is_not_to_be_kept(api, stores):
    assert api.get("/scarce", key="ann").status_code == 200
    refused = api.get("/scarce", key="ann")
    assert refused.status_code == 429
    assert told(refused) == {"fwd": "bypass"}
    assert control(refused) == {"no-store": True}


def test_a_part_is_asked_of_the_handler(api, catalogue, log):
    for _ in range(2):
        answer = api.get("/products/a", key="ann", headers={"range": "bytes=0-1"})
        assert told(answer) == {"fwd": "bypass"}
    assert catalogue.calls["/products/a"] == 2
    assert log.last["cache"] == "bypass"


@pytest.mark.parametrize("change", ["POST", "PUT"])
def test_an_invalidation_voids_what_bears_the_tag_and_nothing_else(api, catalogue, change):
    for path in ("/products/a", "/products/b"):
        api.get(path, key="ann")
        api.get(path, key="bob")
    assert api.request(change, "/products/a", key="ann").json() is True
    for path in ("/products/a", "/products/b"):
        api.get(path, key="ann")
        api.get(path, key="bob")
    assert catalogue.calls == {"/products/a": 4, "/products/b": 2}


def test_an_invalidation_is_one_round_trip(api, stores):
    api.get("/products/a", key="ann")
    api.post("/products/a", key="ann")
    stores.to_redis.reset_counts()
    api.post("/products/a", key="ann")
    assert stores.to_redis.commands == ["EVALSHA", "EVALSHA"], "the admission and the invalidation"


def test_without_redis_a_process_has_a_cache_of_its_own(run, memory, catalogue):
    api = run(catalogue.app, memory)
    first, second = (api.get("/products/a", key="ann") for _ in range(2))
    assert told(second)["hit"] is True
    assert second.content == first.content
    api.request("PUT", "/products/a", key="ann")
    assert "hit" not in told(api.get("/products/a", key="ann"))


@pytest.mark.parametrize(
    ("methods", "asked", "match"),
    [
        (["POST"], {"cache": Cache("1s")}, "policy.cache=….*GET and HEAD only"),
        (["GET", "DELETE"], {"coalesce": True}, "policy.coalesce=….*GET and HEAD only"),
        (["GET"], {"cache": Cache("1s", tags=("product:{id}",))}, "Cache.tags=….*isn't filled"),
    ],
)
def test_a_route_that_cannot_be_cached_stops_the_start(memory, methods, asked, match):
    app = FastAPI()

    @app.api_route("/a", methods=methods)
    @policy(**asked)
    async def a(): ...

    gate = protect(app, settings=memory)
    with pytest.raises(ConfigurationError, match=match):
        asyncio.run(gate.peek("key:ann", "GET", "/a"))


def test_a_default_cannot_be_cached():
    with pytest.raises(ConfigurationError, match="can't be cached"):
        protect(FastAPI(), default=Policy(cache=Cache("1s")))


def test_a_head_route_has_copies_too(run, stores):
    app, calls = FastAPI(), []

    @app.head("/a")
    @policy(limits=[AMPLE], cache=Cache("1h"))
    async def a():
        calls.append(1)

    api = run(app, stores.settings())
    assert [api.request("HEAD", "/a", key="ann").status_code for _ in range(2)] == [200, 200]
    assert len(calls) == 1


def test_a_cost_put_right_rides_on_the_settlement(run, stores):
    app = FastAPI()

    @app.get("/costly/{n}")
    @policy(limits=[TokenBucket("10/h", name="units")], cache=Cache("1h"))
    async def costly(n: int, request: Request):
        request.state.tidegate.charge(4)

    api = run(app, stores.settings())
    assert "r=9" in api.get("/costly/1", key="ann").headers["ratelimit"]
    stores.to_redis.reset_counts()
    assert "r=5" in api.get("/costly/2", key="ann").headers["ratelimit"]
    assert (stores.to_redis.round_trips, stores.to_redis.commands) == (2, ["EVALSHA"] * 3)
