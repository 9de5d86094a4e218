"""Copies have a bounded room in Redis: one caller's, and all; decisions never have to make way for them."""

import os

import pytest
from fastapi import FastAPI, Response

from tests.harness.cache_status import told
from tests.harness.redis_server import RedisServer
from tests.harness.waiting import eventually
from tests.http.cached import AMPLE, control
from tidegate import Cache, Settings, TokenBucket, policy

SIZE = 100_000
# What a copy takes beside its body: its fields and its key.
MORE = 1000


def shelves(**cache):
    """An application whose answers can't be packed, one for each name; and a route with a limit alone."""
    app = FastAPI()

    @app.get("/blobs/{name}")
    @policy(limits=[AMPLE], cache=Cache(**({"fresh": "1h", "shared": True} | cache)))
    def blob(name: str):
        return Response(os.urandom(SIZE))

    @app.post("/blobs/{name}")
    @policy(limits=[AMPLE])
    def change(name: str):
        return None

    @app.get("/limited")
    @policy(limits=[TokenBucket("3/h")])
    def limited():
        return None

    return app


def ask(api, *names, key="ann"):
    """What became of the answers: stored, or why not."""
    ways = [told(api.get(f"/blobs/{name}", key=key)) for name in names]
    return [way.get("detail") or ("stored" if way.get("stored") else "hit") for way in ways]


def test_a_caller_has_his_room_and_the_others_theirs(run, stores):
    api = run(shelves(), stores.settings(cache_caller_bytes=3 * (SIZE + MORE)))
    assert ask(api, *"abcde") == ["stored"] * 3 + ["caller-full"] * 2
    assert ask(api, *"abc") == ["hit"] * 3
    assert ask(api, *"fg", key="bob") == ["stored"] * 2
    assert ask(api, *"fg") == ["hit"] * 2, "who is given it pays nothing for it"


def test_all_of_them_have_one_together(run, stores):
    api = run(shelves(), stores.settings(cache_redis_bytes=3 * (SIZE + MORE)))
    assert ask(api, *"ab") == ["stored"] * 2
    assert ask(api, *"cd", key="bob") == ["stored", "full"]
    assert ask(api, "e", key="carol") == ["full"]


def test_an_answer_without_room_here_may_still_be_kept_by_the_client(run, stores):
    api = run(shelves(), stores.settings(cache_caller_bytes=0))
    answer = api.get("/blobs/a", key="ann")
    assert (answer.status_code, len(answer.content)) == (200, SIZE)
    assert told(answer) == {"fwd": "uri-miss", "fwd-status": 200, "ttl": 3600, "detail": "caller-full"}
    assert control(answer) == {"max-age": 3600}


def test_a_new_copy_takes_the_room_of_the_old_one(run, stores):
    api = run(shelves(), stores.settings(cache_caller_bytes=2 * (SIZE + MORE)))
    assert ask(api, "a", "b") == ["stored"] * 2
    for _ in range(3):
        api.post("/blobs/a", key="ann")
        assert ask(api, "a") == ["stored"]
    assert ask(api, "c") == ["caller-full"]


def test_room_comes_back_when_copies_end(run, stores):
    api = run(shelves(fresh="1ms"), stores.settings(cache_caller_bytes=SIZE + MORE))
    assert ask(api, "a") == ["stored"]
    eventually(lambda: ask(api, "b") == ["stored"])


def test_one_account_costs_the_same_however_many_copies_there_are(run, stores, redis_db):
    api = run(shelves(), stores.settings(cache_caller_bytes=2**40, cache_redis_bytes=2**40))
    ask(api, *range(40))
    accounts = redis_db.keys("tidegate:{copies:*}:b:*")
    assert 0 < max(redis_db.hlen(key) for key in accounts if redis_db.type(key) == b"hash") <= 10
    assert all(redis_db.pttl(key) > 0 for key in accounts)


@pytest.mark.parametrize("policy_of_redis", ["noeviction", "allkeys-lru", "volatile-ttl"])
def test_decisions_stay_whatever_is_copied(serve, fresh_redis: RedisServer, policy_of_redis):
    """Thirty callers would fill a small Redis with copies; what was decided before them still holds."""
    with fresh_redis.client() as client:
        client.config_set("maxmemory", "24mb")
        client.config_set("maxmemory-policy", policy_of_redis)
        api = serve(shelves(), Settings(redis_url=fresh_redis.url, decision_budget_ms=9000, trust_api_key_header=True))
        assert [api.get("/limited", key="ann").status_code for _ in range(4)] == [200, 200, 200, 429]
        ways = [way for caller in range(30) for way in ask(api, *(f"{caller}-{n}" for n in range(10)), key=f"{caller}")]
        assert set(ways) == {"stored", "full"}
        assert client.info("stats")["evicted_keys"] == 0
        assert api.get("/limited", key="ann").status_code == 429
        assert client.info("memory")["used_memory"] < 20 * 2**20
