"""Exempt requests are charged to no limit and not shed, and their lines say so; nobody else is."""

from dataclasses import replace

import pytest
from fastapi import FastAPI

from tests.http.faces import statuses
from tidegate import Caller, ConfigurationError, Exemption, Policy, TokenBucket, policy, protect

ONCE = Policy(limits=[TokenBucket("1/d")])
IDENTIFY = {"identify": lambda scope: dict(scope["headers"]).get(b"x-user", b"user:nobody").decode()}


def application():
    app = FastAPI()
    app.get("/health/live")(lambda: "well")
    app.get("/healthy")(lambda: "other")
    app.api_route("/it", methods=["GET", "OPTIONS", "POST"])(lambda: "done")
    return app


def test_health_checks_are_exempt_by_their_path(run, stores, log):
    stores.to_redis.reset_counts()
    api = run(application(), stores.settings(), default=ONCE, exempt=[Exemption(paths=["/health"])])
    assert statuses([api.get("/health/live", key="ada") for _ in range(3)]) == [200] * 3
    assert [line.get("exempt") for line in log.requests] == [True] * 3
    assert "store" not in log.last
    assert statuses([api.get("/healthy", key="ada") for _ in range(2)]) == [200, 429]
    assert statuses([api.get("/health", key="ada") for _ in range(2)]) == [404, 429], "no route is no exempt route"
    assert "exempt" not in log.last


def test_callers_and_methods_are_exempt_only_together(run, memory):
    exempt = [Exemption(callers=["user:monitor"], methods=["post"]), Exemption(methods=["OPTIONS"])]
    api = run(application(), memory, default=ONCE, exempt=exempt, **IDENTIFY)

    def ask(method, user):
        return [api.request(method, "/it", headers={"x-user": user}).status_code for _ in range(2)]

    assert ask("POST", "user:monitor") == [200, 200]
    assert ask("GET", "user:monitor") == [200, 429]
    assert ask("POST", "user:ada") == [200, 429]
    assert ask("OPTIONS", "user:ada") == [200, 200]


def test_a_network_is_exempt_by_the_address_that_is_trusted(deploy, stores):
    exempt = [Exemption(networks=["198.51.100.0/24", "2001:db8::/32"])]
    api = deploy(application(), stores.settings(), default=ONCE, exempt=exempt)

    def ask(address, **fields):
        return [api.get("/it", source_ip=address, headers=fields).status_code for _ in range(2)]

    assert ask("198.51.100.7") == [200, 200]
    assert ask("2001:db8::1") == [200, 200]
    assert ask("203.0.113.9", **{"X-Forwarded-For": "198.51.100.7"}) == [200, 429], "what a client writes is nothing"


def test_identify_may_say_that_a_caller_is_exempt(run, memory, log):
    api = run(application(), memory, default=ONCE, identify=lambda _: Caller("user:job", exempt=True))
    assert statuses([api.get("/it") for _ in range(3)]) == [200] * 3
    assert log.last["exempt"] is True


def test_an_exempt_request_still_runs_once_for_its_key(run, stores):
    app, runs = FastAPI(), []

    @app.post("/pay")
    @policy(limits=[TokenBucket("1/d")], idempotent=True)
    async def pay():
        runs.append(1)
        return len(runs)

    api = run(app, stores.settings(), exempt=[Exemption(paths=["/pay"])])
    assert [api.post("/pay", key="a", headers={"idempotency-key": k}).json() for k in ("x", "x", "y")] == [1, 1, 2]
    assert api.post("/pay", key="a").status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"paths": "/health"},
        {"paths": ["health"]},
        {"networks": ["nowhere"]},
        {"networks": ["0.0.0.0/0"]},
    ],
)
def test_an_exemption_of_everybody_or_nothing_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="Exemption"):
        Exemption(**wrong)


def test_shedding_spares_the_exempt(serve, memory):
    """A database that is far too slow sheds all else that is sheddable."""
    app = application()
    api = serve(
        app,
        replace(memory, shed_database_ms=(1, 2)),
        gate=(
            gate := protect(
                app,
                settings=replace(memory, shed_database_ms=(1, 2)),
                exempt=[Exemption(paths=["/health"])],
                default=Policy(priority="sheddable"),
            )
        ),
    )
    api.get("/it")
    for _ in range(200):
        gate.observe("database", 5000)
    assert api.get("/it").status_code == 503
    assert api.get("/health/live").status_code == 200
