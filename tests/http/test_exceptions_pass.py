"""An unhandled exception passes through the application's own middlewares, as it does without the guard."""

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

from tidegate import Cache, TokenBucket, policy

AMPLE = [TokenBucket("100/s")]
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
WAYS = {
    "plain": ("GET", policy(limits=AMPLE)),
    "cached": ("GET", policy(limits=AMPLE, cache=Cache("60s"))),
    "idempotent": ("POST", policy(limits=AMPLE, idempotent=True)),
}


class SoldOutError(Exception):
    pass


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def selling(way):
    """An application whose one handler fails, and the method to ask it with."""
    method, declared = way
    app = FastAPI()

    @app.api_route("/goods", methods=[method])
    @declared
    async def goods():
        raise SoldOutError("inner secret")

    return app, method


def test_a_middlewares_transaction_is_rolled_back(run, memory, way):
    app, method = selling(way)
    ended = []

    @app.middleware("http")
    async def transaction(request, call_next):
        try:
            response = await call_next(request)
        except Exception:
            ended.append("rolled back")
            raise
        ended.append("committed")
        return response

    answer = run(app, memory).request(method, "/goods", headers=KEY)
    assert ended == ["rolled back"]
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "ratelimit" in answer.headers
    assert "secret" not in answer.text


def test_a_middleware_answers_an_exception_that_it_knows(run, memory, way):
    app, method = selling(way)

    @app.middleware("http")
    async def answering(request, call_next):
        try:
            return await call_next(request)
        except SoldOutError:
            return JSONResponse({"error": "sold out"}, 409)

    app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])
    answer = run(app, memory).request(method, "/goods", headers={**KEY, "origin": "https://shop.example"})
    assert (answer.status_code, answer.json()) == (409, {"error": "sold out"})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


def test_it_is_logged_once_on_lambda_and_counts_as_a_failure(deploy, memory, way, log):
    app, method = selling(way)
    deploy(app, memory).request(method, "/goods", headers=KEY)
    assert [line["exception_name"] for line in log.all if line["message"] == "unhandled exception"] == ["SoldOutError"]
    assert (log.last["outcome"], log.last["status"]) == ("failed", 500)


@pytest.mark.parametrize("problems", [True, False])
def test_the_last_answer_is_the_applications_own_if_it_has_one(run, memory, way, problems):
    app, method = selling(way)

    @app.exception_handler(500)
    async def last(request, error):
        return JSONResponse({"error": "ours"}, 500)

    assert run(app, memory, problems=problems).request(method, "/goods", headers=KEY).json() == {"error": "ours"}
