"""A run whose response is recorded, to be kept or shared, has what any other run has; so have those around it."""

import pytest
from fastapi import FastAPI, HTTPException, Request
from starlette.middleware.base import BaseHTTPMiddleware

from tests.http.wire import call
from tidegate import Cache, TokenBucket, policy, protect

AMPLE = [TokenBucket("100/s")]
KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
RECORDED = {
    "idempotent": ("POST", policy(limits=AMPLE, idempotent=True)),
    "cached": ("GET", policy(limits=AMPLE, cache=Cache("60s"))),
    "coalesced": ("GET", policy(limits=AMPLE, coalesce=True)),
}


@pytest.fixture(params=RECORDED)
def recorded(request):
    return RECORDED[request.param]


@pytest.mark.anyio
async def test_a_clients_certificate_is_read(memory, recorded):
    method, declared = recorded
    app = FastAPI()

    @app.api_route("/whose", methods=[method])
    @declared
    async def whose(request: Request):
        return [request.scope["extensions"]["tls"]["client_cert_name"], len(request.scope["extensions"])]

    protect(app, settings=memory)
    of_server = {"tls": {"client_cert_name": "CN=ann"}, "http.response.pathsend": {}}
    answers = [await call(app, method, "/whose", headers=KEY, extensions=of_server) for _ in range(2)]
    assert [answer.body for answer in answers] == [b'["CN=ann",1]'] * 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_middlewares_see_which_route_was_run(run, memory, recorded, number):
    method, declared = recorded
    app, seen = FastAPI(), []

    class Noting(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            try:
                return await call_next(request)
            finally:
                scope = request.scope
                seen.append((scope["route"].path, scope["endpoint"].__name__, scope["path_params"]))

    @app.api_route("/numbers/{number}", methods=[method])
    @declared
    async def numbers(number: int):
        if number == 2:
            raise HTTPException(409)
        if number == 3:
            raise RuntimeError
        return number

    app.add_middleware(Noting)
    run(app, memory).request(method, f"/numbers/{number}", headers=KEY)
    assert seen == [("/numbers/{number}", "numbers", {"number": str(number)})]


def test_middlewares_see_which_route_is_replayed(run, memory):
    app, seen = FastAPI(), []

    @app.middleware("http")
    async def noting(request, call_next):
        response = await call_next(request)
        seen.append(request.scope["route"].path)
        return response

    @app.post("/orders")
    @policy(limits=AMPLE, idempotent=True)
    async def order():
        return 1

    api = run(app, memory)
    assert [api.post("/orders", headers=KEY).json() for _ in range(2)] == [1, 1]
    assert seen == ["/orders", "/orders"]
