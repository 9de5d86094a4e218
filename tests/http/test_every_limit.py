"""Each kind of limit, as a client meets it: shaping, windows, quotas, slots; hierarchies, costs, shadows, changes."""

import asyncio
import json
import threading

import http_sf
import pytest
from fastapi import FastAPI, Request

from tests.harness.waiting import eventually
from tests.http.faces import statuses
from tidegate import Caller, Concurrency, LeakyBucket, Policy, Quota, SlidingWindow, TokenBucket, policy, protect
from tidegate.limits.overrides import write_overrides
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts


def with_route(*limits, handler=None, path="/it", default=None):
    app = FastAPI()

    async def it():
        return "done"

    app.get(path)(policy(limits=limits)(handler or it))
    return app


def parsed(answer, field="ratelimit"):
    return dict(http_sf.parse(answer.headers[field].encode(), tltype="list"))


@pytest.mark.parametrize(
    ("limit", "label"),
    [
        (SlidingWindow("3/d"), "3/d"),
        (Quota("3/day"), "3/day"),
        (Quota("3/month", name="monthly"), "monthly"),
    ],
)
def test_a_window_or_a_quota_admits_what_it_says(run, stores, limit, label):
    api = run(with_route(limit), stores.settings())
    answers = [api.get("/it", key="alice") for _ in range(4)]
    assert statuses(answers) == [200, 200, 200, 429]
    assert [parsed(a)[label]["r"] for a in answers] == [2, 1, 0, 0]
    assert answers[-1].json()["violated-policies"] == [label]
    assert int(answers[-1].headers["retry-after"]) >= parsed(answers[-1])[label]["t"] > 0
    assert api.get("/it", key="bob").status_code == 200


def test_a_leaky_bucket_lets_the_near_ones_wait_and_refuses_the_others(serve, stores, log):
    app = with_route(LeakyBucket("20/s", max_wait="100ms"))
    api = serve(app, stores.settings())
    asked = [api.begin("GET", "/it", key="alice") for _ in range(8)]
    answers = [one.result(30) for one in asked]
    # Three find their start within 100 ms; who comes after some have begun may find one more.
    assert 3 <= statuses(answers).count(200) < 8
    waits = [line.get("waited_ms", 0) for line in log.requests if line["status"] == 200]
    assert 0 < max(waits) <= 100
    refused = next(a for a in answers if a.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1


@pytest.fixture
def held():
    return threading.Event()


def test_slots_are_freed_when_the_request_ends_and_only_then(serve, stores, held):
    began = threading.Semaphore(0)

    def wait():
        began.release()
        held.wait(30)
        return "done"

    app = with_route(Concurrency(2), handler=wait)
    api = serve(app, stores.settings())
    running = [api.begin("GET", "/it", key="alice") for _ in range(2)]
    for _ in running:
        assert began.acquire(timeout=30)
    refused = api.get("/it", key="alice")
    assert refused.status_code == 429
    assert parsed(refused, "ratelimit-policy")["2-at-once"] == {"q": 2, "qu": "concurrent-requests"}
    assert parsed(refused)["2-at-once"] == {"r": 0}
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    other = api.begin("GET", "/it", key="bob")
    assert began.acquire(timeout=30)
    held.set()
    assert statuses([one.result(30) for one in [*running, other]]) == [200, 200, 200]
    assert api.get("/it", key="alice").status_code == 200


def test_a_slot_is_freed_whatever_the_handler_does(run, stores):
    async def broken():
        raise RuntimeError("broken")

    api = run(with_route(Concurrency(1), handler=broken), stores.settings())
    assert statuses([api.get("/it", key="alice") for _ in range(3)]) == [500, 500, 500]


def test_a_slot_is_renewed_while_its_request_runs(serve, stores, redis_db):
    """A lease of a second, looked at only after it would have run out but for its renewals."""
    ends = []

    async def long(request: Request):
        [key] = list(redis_db.keys("tidegate:*:c"))
        first = redis_db.zrange(key, 0, -1, withscores=True)[0][1]
        while True:
            [(_, end)] = redis_db.zrange(key, 0, -1, withscores=True)
            ends.append(end)
            if end > first:
                return "renewed"
            await asyncio.sleep(0.02)

    api = serve(with_route(Concurrency(1, lease="1s"), handler=long), stores.settings())
    assert api.get("/it", key="alice").json() == "renewed"
    assert max(ends) > min(ends)
    assert redis_db.keys("tidegate:*:c") == []


def test_an_idempotent_request_frees_its_slot_with_its_settlement(deploy, stores):
    app = FastAPI()

    @app.post("/it")
    @policy(limits=[Concurrency(1)], idempotent=True)
    async def it():
        return "done"

    api = deploy(app, stores.settings())
    api.post("/it", key="alice", headers={"idempotency-key": "warm"})
    stores.to_redis.reset_counts()
    assert api.post("/it", key="alice", headers={"idempotency-key": "one"}).status_code == 200
    assert stores.to_redis.round_trips == 2
    assert api.post("/it", key="alice", headers={"idempotency-key": "two"}).status_code == 200


def test_an_organisations_limit_is_shared_and_each_key_has_its_own(deploy, stores):
    app = with_route(
        TokenBucket("3/d", per="organisation", name="org"),
        TokenBucket("2/d", name="key"),
    )
    api = deploy(app, stores.settings())

    def get(user, organisation="acme"):
        return api.get("/it", authorizer={"principalId": user, "organisation": organisation})

    assert statuses([get("alice"), get("alice")]) == [200, 200]
    over = get("alice")
    assert over.json()["violated-policies"] == ["key"]
    assert get("bob").status_code == 200
    assert get("carol").json()["violated-policies"] == ["org"]
    # Nothing was charged by the refusals, and another organisation has limits of its own.
    assert parsed(get("bob"))["key"]["r"] == 1
    assert get("alice", "other").status_code == 200


def test_a_stricter_limit_for_callers_of_whom_only_the_address_is_known(run, stores):
    api = run(
        with_route(TokenBucket("9/d", name="all"), TokenBucket("1/d", per="ip", name="unknown")), stores.settings()
    )
    assert statuses([api.get("/it"), api.get("/it")]) == [200, 429]
    assert statuses([api.get("/it", key="alice"), api.get("/it", key="alice")]) == [200, 200]


def test_a_routes_own_limit_is_shared_by_all_callers_in_one_round_trip(deploy, stores):
    api = deploy(with_route(TokenBucket("9/d"), TokenBucket("3/d", per="route", name="whole")), stores.settings())
    assert api.get("/it", key="alice").status_code == 200
    stores.to_redis.reset_counts()
    assert api.get("/it", key="bob").status_code == 200
    assert stores.to_redis.round_trips == 1
    assert statuses([api.get("/it", key=key) for key in ("carol", "dave")]) == [200, 429]


def test_a_cost_that_only_the_handler_knows_is_put_right_when_it_ends(run, stores):
    async def work(request: Request, units: int):
        request.state.tidegate.charge(units)
        return "done"

    api = run(with_route(TokenBucket("10/d", burst=10), handler=work), stores.settings())
    assert parsed(api.get("/it?units=4", key="alice"))["10/d"]["r"] == 9
    assert parsed(api.get("/it?units=0", key="alice"))["10/d"]["r"] == 5
    assert parsed(api.get("/it?units=30", key="alice"))["10/d"]["r"] == 5
    assert api.get("/it?units=1", key="alice").status_code == 429


def test_a_cost_may_be_read_off_the_request(run, stores):
    by_length = TokenBucket("10/d", burst=10, cost=lambda scope: max(1, len(scope["query_string"])))
    api = run(with_route(by_length), stores.settings())
    assert parsed(api.get("/it?a=34567", key="alice"))["10/d"]["r"] == 3


def test_a_shadow_limit_refuses_nobody_and_is_logged(run, stores, log):
    api = run(with_route(TokenBucket("1/d", name="new", shadow=True), TokenBucket("9/d")), stores.settings())
    answers = [api.get("/it", key="alice") for _ in range(3)]
    assert statuses(answers) == [200, 200, 200]
    assert list(parsed(answers[-1])) == ["9/d"]
    assert [line.get("shadowed") for line in log.requests] == [None, ["new"], ["new"]]


def test_peeking_charges_nothing(closing, stores):
    app = with_route(TokenBucket("5/d"), SlidingWindow("3/d", name="window"), Concurrency(2))
    gate = protect(app, settings=stores.settings())
    closing.callback(gate.close)
    for _ in range(3):
        left = asyncio.run(gate.peek("key:alice", "GET", "/it"))
        assert [(one.limit, one.remaining, one.allowed) for one in left] == [
            ("5/d", 5, True),
            ("window", 3, True),
            ("2-at-once", 2, True),
        ]


def test_a_limit_changes_at_run_time_without_a_release_or_a_round_trip(deploy, stores, dynamo):
    api = deploy(with_route(TokenBucket("9/d", name="it")), stores.settings())
    client = DynamoClient(DynamoTimeouts(5, 5), endpoint_url=dynamo.endpoint_url)
    write_overrides(client, stores.table, "default", {"it": {"rate": "2/d"}})
    assert api.get("/it", key="alice").status_code == 200  # after it the overrides are read, in the background

    def changed():
        answer = api.get("/it", key="bob")
        return parsed(answer, "ratelimit-policy")["it"]["q"] == 2 and answer

    assert eventually(changed)
    stores.to_redis.reset_counts()
    stores.to_dynamo.reset_counts()
    answers = [api.get("/it", key="carol") for _ in range(3)]
    assert statuses(answers) == [200, 200, 429]
    assert (stores.to_redis.round_trips, stores.to_dynamo.commands) == (3, [])


def test_an_application_says_who_belongs_to_whom(serve, stores):
    def identify(scope):
        name = dict(scope["headers"])[b"x-user"].decode()
        return Caller(f"user:{name}", organisation="acme", time_zone="Asia/Tokyo")

    app = with_route(Quota("2/day", per="organisation", name="org"))
    api = serve(app, stores.settings(), identify=identify)
    assert statuses([api.get("/it", headers={"x-user": name}) for name in "abc"]) == [200, 200, 429]


def test_a_caller_who_changes_his_zone_gets_no_second_day(deploy, stores):
    """What users write of themselves isn't read; what the authorizer says doesn't end a day that has begun."""
    app = with_route(Quota("2/day"))
    zones = ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Tokyo", "America/New_York", "UTC"]
    api = deploy(app, stores.settings())
    claims = [{"claims": {"sub": "ada", "zoneinfo": zone, "timeZone": zone}} for zone in zones]
    contexts = [{"principalId": "bob", "timeZone": zone} for zone in zones]
    for authorizers in (claims, contexts):
        assert statuses([api.get("/it", authorizer=one) for one in authorizers]) == [200, 200, 429, 429, 429]


def test_peeking_needs_no_request_to_know_a_cost(closing, stores):
    app = with_route(TokenBucket("5/d", cost=lambda scope: int(dict(scope["headers"])[b"x-units"])))
    gate = protect(app, settings=stores.settings())
    closing.callback(gate.close)
    [left] = asyncio.run(gate.peek("key:alice", "GET", "/it"))
    assert (left.remaining, left.allowed) == (5, True)


def test_every_limit_holds_without_redis(run, stores):
    app = with_route(
        SlidingWindow("3/d"), Quota("4/day"), Concurrency(2), TokenBucket("9/d", per="route", name="whole")
    )
    api = run(app, stores.settings(redis_url=None), default=Policy())
    assert statuses([api.get("/it", key="alice") for _ in range(4)]) == [200, 200, 200, 429]


def test_a_wrong_override_is_logged_and_changes_nothing(deploy, stores, dynamo, log):
    api = deploy(with_route(TokenBucket("9/d", name="it")), stores.settings())
    client = DynamoClient(DynamoTimeouts(5, 5), endpoint_url=dynamo.endpoint_url)
    write_overrides(client, stores.table, "default", {"it": {"rate": "fast"}})
    api.get("/it", key="alice")
    said = eventually(
        lambda: api.get("/it", key="bob") and [line for line in log.all if line["message"] == "override not applied"]
    )
    assert "fast" in json.dumps(said)
    assert parsed(api.get("/it", key="alice"), "ratelimit-policy")["it"]["q"] == 9
