"""A copy is given only to a request that is alike in all that the route declares to read."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, Query

from tidegate import Cache, TokenBucket, policy

AMPLE = [TokenBucket("100/s")]
SHARED = policy(limits=AMPLE, cache=Cache("60s", shared=True))
OWN = policy(limits=AMPLE, cache=Cache("60s"))


async def language(accept_language: Annotated[str, Header()] = "en"):
    return accept_language


@pytest.mark.parametrize("declared", [SHARED, OWN])
def test_each_language_has_its_copy(run, memory, declared):
    app = FastAPI()

    @app.get("/greeting")
    @declared
    async def greeting(accept_language: Annotated[str, Header()] = "en"):
        return accept_language

    api = run(app, memory)
    answers = [api.get("/greeting", headers={"accept-language": each}) for each in ("de", "fr", "de")]
    assert [answer.json() for answer in answers] == ["de", "fr", "de"]
    assert "hit" in answers[2].headers["cache-status"]
    assert answers[2].headers["vary"] == "accept-language", "caches on the way are told"


def test_what_a_routers_dependency_reads_counts(run, memory):
    app, router = FastAPI(), APIRouter(dependencies=[Depends(language)])

    @router.get("/greeting")
    @SHARED
    async def greeting(language: Annotated[str, Depends(language)]):
        return language

    app.include_router(router)
    api = run(app, memory)
    assert [api.get("/greeting", headers={"accept-language": each}).json() for each in ("de", "fr")] == ["de", "fr"]


def test_a_query_parameter_that_its_policy_leaves_out_counts_if_declared(run, memory):
    app = FastAPI()

    @app.get("/list")
    @policy(limits=AMPLE, cache=Cache("60s", query=["page"]))
    async def listed(page: int = 1, order: Annotated[str, Query(alias="order-by")] = "name"):
        return [page, order]

    api = run(app, memory)
    queries = ("page=2&order-by=price", "page=2&order-by=name", "page=2&order-by=name&utm_source=mail")
    answers = [api.get(f"/list?{query}") for query in queries]
    assert [answer.json() for answer in answers] == [[2, "price"], [2, "name"], [2, "name"]]
    assert "hit" in answers[2].headers["cache-status"]


@pytest.mark.parametrize("cookie", ["csrftoken", "_ga"])
def test_a_page_with_a_visitors_token_is_his_alone(run, memory, cookie):
    app = FastAPI()

    @app.get("/form")
    @SHARED
    async def form(token: Annotated[str, Cookie(alias=cookie)] = ""):
        return token

    api = run(app, memory)
    answers = [api.get("/form", headers={"cookie": f"{cookie}={each}"}) for each in ("ann", "bob", "ann")]
    assert [answer.json() for answer in answers] == ["ann", "bob", "ann"]
    assert all("private" in answer.headers["cache-control"] for answer in answers)


def test_what_differs_in_each_request_makes_no_copies(run, memory):
    app = FastAPI()

    @app.get("/page")
    @SHARED
    async def page(x_request_id: Annotated[str, Header()] = "", host: Annotated[str, Header()] = ""):
        return "page"

    api = run(app, memory)
    again = [api.get("/page", headers={"x-request-id": each, "cookie": f"_ga={each}"}) for each in "12"][1]
    assert "hit" in again.headers["cache-status"]
    assert "vary" not in again.headers
