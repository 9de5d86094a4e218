"""Policies that are declared so that they could not hold: in force all the same, or refused; never silently void."""

from fastapi import FastAPI

from tidegate import ConfigurationError, Policy, TokenBucket, policy

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


def is_refused_or_runs_once(serve, settings, app, path, **options):
    try:
        api = serve(app, settings, **options)
    except ConfigurationError:
        return True
    answers = [api.post(path, headers=KEY) for _ in range(2)]
    if all(answer.status_code == 500 for answer in answers):
        return True
    return [answer.json() for answer in answers] == [1, 1]


def test_a_default_policy_that_is_idempotent_keeps_answers_or_is_refused(serve, memory):
    """An undeclared endpoint isn't wrapped, so nothing tells when it begins."""
    app, runs = FastAPI(), []

    @app.post("/undeclared")
    async def undeclared():
        runs.append(1)
        return len(runs)

    assert is_refused_or_runs_once(serve, memory, app, "/undeclared", default=Policy(idempotent=True))


def test_a_policy_that_is_written_above_the_route_is_in_force_or_refused(serve, memory):
    """The route's decorator has taken the endpoint before the policy's could wrap it."""
    app, runs = FastAPI(), []

    @policy(limits=[TokenBucket("100/s")], idempotent=True)
    @app.post("/upside-down")
    async def upside_down():
        runs.append(1)
        return len(runs)

    assert is_refused_or_runs_once(serve, memory, app, "/upside-down")


def test_limits_that_are_written_above_the_route_are_in_force(serve, memory):
    app = FastAPI()

    @policy(limits=[TokenBucket("1/h")])
    @app.get("/upside-down")
    async def upside_down():
        return []

    api = serve(app, memory)
    assert [api.get("/upside-down").status_code for _ in range(2)] == [200, 429]


def test_an_endpoint_that_serves_two_methods_runs_once_for_each(serve, memory):
    app, runs = FastAPI(), []

    @app.api_route("/both", methods=["POST", "PUT"])
    @policy(limits=[TokenBucket("100/s")], idempotent=True)
    async def both():
        runs.append(1)
        return len(runs)

    api = serve(app, memory)
    answers = [api.request(method, "/both", headers=KEY).json() for method in ("POST", "PUT", "POST", "PUT")]
    assert answers == [1, 2, 1, 2]
