"""Limits, as a client meets them."""

import http_sf
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse

from tests.harness.lambda_events import http_api_event, rest_event
from tests.harness.waiting import eventually
from tests.http.faces import statuses
from tidegate import Policy, TokenBucket, policy, protect

SLOW = TokenBucket("3/h", burst=3)


def shop():
    app = FastAPI()

    @app.get("/products")
    @policy(limits=[SLOW])
    async def products():
        return []

    @app.get("/reports")
    @policy(limits=[SLOW])
    def reports():
        return []

    @app.get("/elsewhere")
    @policy(limits=[SLOW])
    async def elsewhere():
        return RedirectResponse("/products")

    @app.get("/several")
    @policy(limits=[TokenBucket("100/s", name="burst"), TokenBucket("2/h", name="hourly")])
    async def several():
        return []

    @app.get("/dear")
    @policy(limits=[TokenBucket("2/h", burst=2, cost=5)])
    async def dear():
        return []

    @app.get("/plain")
    async def plain():
        return []

    @app.get("/free")
    @policy(limits=[])
    async def free():
        return []

    return app


def parsed(answer):
    limit = http_sf.parse(answer.headers["ratelimit"].encode(), tltype="list")
    declared = http_sf.parse(answer.headers["ratelimit-policy"].encode(), tltype="list")
    return dict(limit), dict(declared)


def test_beyond_the_burst_the_answer_is_a_problem_that_says_when_to_return(run, stores):
    api = run(shop(), stores.settings())
    answers = [api.get("/products", key="alice") for _ in range(4)]
    assert statuses(answers) == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.headers["content-type"] == "application/problem+json"
    body = refused.json()
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (body["status"], body["violated-policies"]) == (429, ["3/h"])
    assert {"title", "detail"} <= body.keys()
    limit, _ = parsed(refused)
    assert limit["3/h"]["r"] == 0
    assert refused.headers["retry-after"].isdecimal()
    assert int(refused.headers["retry-after"]) >= limit["3/h"]["t"] > 0


def test_each_answer_says_what_is_left_and_the_policy_stays_the_same(run, stores):
    api = run(shop(), stores.settings())
    answers = [api.get("/products", key="alice") for _ in range(4)]
    assert [parsed(answer)[0]["3/h"]["r"] for answer in answers] == [2, 1, 0, 0]
    assert len({answer.headers["ratelimit-policy"] for answer in answers}) == 1
    _, declared = parsed(answers[0])
    assert declared == {"3/h": {"q": 3, "w": 3600}}
    assert all("retry-after" not in answer.headers for answer in answers[:3])


def test_several_limits_are_all_told_and_only_the_broken_one_is_blamed(run, stores):
    api = run(shop(), stores.settings())
    answers = [api.get("/several", key="alice") for _ in range(3)]
    assert statuses(answers) == [200, 200, 429]
    limit, declared = parsed(answers[-1])
    assert limit.keys() == declared.keys() == {"burst", "hourly"}
    assert answers[-1].json()["violated-policies"] == ["hourly"]
    assert limit["burst"]["r"] > 90, "a refused request is charged to no limit"


def test_what_can_never_pass_is_refused_without_a_time_to_return(run, stores):
    answer = run(shop(), stores.settings()).get("/dear", key="alice")
    assert answer.status_code == 422
    assert "retry-after" not in answer.headers
    assert "ever" in answer.json()["detail"]


def test_a_redirection_carries_no_fields(run, stores):
    api = run(shop(), stores.settings())
    answers = [api.get("/elsewhere", key="alice") for _ in range(4)]
    assert statuses(answers) == [307, 307, 307, 429]
    assert all("ratelimit" not in answer.headers and "ratelimit-policy" not in answer.headers for answer in answers[:3])
    assert "ratelimit" in answers[3].headers


def test_paths_and_methods_that_match_no_route_share_one_limit(run, stores):
    api = run(shop(), stores.settings(), default=Policy(limits=[SLOW]))
    answers = [
        api.get("/nowhere", key="alice"),
        api.get("/nowhere/else", key="alice"),
        api.post("/products", key="alice"),
        api.request("DELETE", "/anything", key="alice"),
    ]
    assert statuses(answers) == [404, 404, 405, 429]
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
    assert answers[2].headers["allow"] == "GET"
    assert parsed(answers[0])[0]["3/h"]["r"] == 2


def test_a_route_without_a_policy_gets_the_default(run, stores):
    api = run(shop(), stores.settings(), default=Policy(limits=[TokenBucket("1/h", name="default")]))
    answers = [api.get("/plain", key="alice") for _ in range(2)]
    assert statuses(answers) == [200, 429]
    assert answers[1].json()["violated-policies"] == ["default"]


def test_without_a_default_of_ones_own_there_still_is_one(run, stores):
    answer = run(shop(), stores.settings()).get("/plain", key="alice")
    assert parsed(answer)[1] == {"50/s": {"q": 100, "w": 2}}


def test_each_caller_has_its_own_limit(run, stores):
    api = run(shop(), stores.settings())
    assert statuses(api.get("/products", key="alice") for _ in range(4)) == [200, 200, 200, 429]
    assert statuses(api.get("/products", key="bob") for _ in range(4)) == [200, 200, 200, 429]


def test_each_route_has_its_own_limit(run, stores):
    api = run(shop(), stores.settings())
    assert statuses(api.get("/products", key="alice") for _ in range(4)) == [200, 200, 200, 429]
    assert api.get("/reports", key="alice").status_code == 200


@pytest.mark.parametrize(
    ("event", "one", "other"),
    [
        (rest_event, {"api_key_id": "k1"}, {"api_key_id": "k2"}),
        (rest_event, {"source_ip": "192.0.2.1"}, {"source_ip": "192.0.2.2"}),
        (rest_event, {"authorizer": {"principalId": "ada"}}, {"authorizer": {"principalId": "bea"}}),
        (rest_event, {"authorizer": {"claims": {"sub": "ada"}}}, {"authorizer": {"claims": {"sub": "bea"}}}),
        (http_api_event, {"source_ip": "192.0.2.1"}, {"source_ip": "192.0.2.2"}),
        (
            http_api_event,
            {"authorizer": {"jwt": {"claims": {"sub": "ada"}}}},
            {"authorizer": {"jwt": {"claims": {"sub": "bea"}}}},
        ),
    ],
)
def test_a_caller_is_known_by_what_the_gateway_vouches_for(deploy, stores, event, one, other):
    api = deploy(shop(), stores.settings())
    assert statuses(api.invoke(event("GET", "/products", **one)) for _ in range(4)) == [200, 200, 200, 429]
    assert api.invoke(event("GET", "/products", **other)).status_code == 200


def test_a_key_that_no_gateway_has_checked_makes_nobody_somebody_else(serve, stores):
    api = serve(shop(), stores.settings(trust_api_key_header=False))
    answers = [api.get("/products", key=f"invented-{n}") for n in range(4)]
    assert statuses(answers) == [200, 200, 200, 429]


def test_routes_of_an_included_router_keep_their_policies(run, stores):
    app, router = FastAPI(), APIRouter(prefix="/v1")

    @router.get("/items/{item}")
    @policy(limits=[TokenBucket("1/h")])
    async def item(item: str):
        return item

    app.include_router(router)
    api = run(app, stores.settings())
    assert statuses([api.get("/v1/items/1", key="a"), api.get("/v1/items/2", key="a")]) == [200, 429]


def test_routes_declared_after_protect_are_limited(serve, stores):
    app = FastAPI()
    gate = protect(app, settings=stores.settings())

    @app.get("/late")
    @policy(limits=[TokenBucket("1/h")])
    async def late():
        return "late"

    api = serve(app, gate=gate)
    assert statuses([api.get("/late"), api.get("/late")]) == [200, 429]


def test_the_policy_is_that_of_the_route_which_answers(run, stores):
    """Starlette takes the first route that matches, though a later one names the path literally."""
    app = FastAPI()

    @app.get("/items/{item}")
    @policy(limits=[TokenBucket("1/h", name="by-item")])
    async def by_item(item: str):
        return "by-item"

    @app.get("/items/latest")
    @policy(limits=[TokenBucket("100/s", name="latest")])
    async def latest():
        return "latest"

    answer = run(app, stores.settings()).get("/items/latest", key="alice")
    assert parsed(answer)[0].keys() == {answer.json()}


def test_a_limit_refills_at_its_rate(run, stores):
    app = FastAPI()

    @app.get("/quick")
    @policy(limits=[TokenBucket("4/s", burst=1)])
    async def quick():
        return []

    api = run(app, stores.settings())
    assert statuses(api.get("/quick", key="a") for _ in range(2)) == [200, 429]
    eventually(lambda: api.get("/quick", key="a").status_code == 200, within_s=5, every_s=0.05)
