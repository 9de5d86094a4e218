"""`tidegate dev --edge` refuses as the deployed API Gateway: by its keys, its throttles, and its gateway responses."""

import contextlib
import json

import httpx
import pytest

from tidegate_cdk.gateway_problems import EDGE_PROBLEMS
from tidegate_local import cloud
from tidegate_local.edge.asgi import Edge
from tidegate_local.edge.facts import EdgeFacts, Plan, Rate
from tidegate_local.edge.rules import Rules
from tidegate_local.errors import LocalCloudError
from tidegate_local.state import LocalState

KEYS = {"free": "key-of-the-free-tier-01", "gold": "key-of-the-gold-tier-01"}


@pytest.fixture(scope="module")
def state(running_engine):
    """An API with the shop's shape: /health is open, /v1 needs a key, one method has a throttle of its own."""
    with contextlib.closing(cloud.client("apigateway", running_engine.url)) as gateway:
        api = gateway.create_rest_api(name="shop")["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]

        def resource(parent, part, verb=None, *, key=False):
            made = gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)["id"]
            if verb:
                gateway.put_method(
                    restApiId=api, resourceId=made, httpMethod=verb, authorizationType="NONE", apiKeyRequired=key
                )
                gateway.put_integration(restApiId=api, resourceId=made, httpMethod=verb, type="MOCK")
            return made

        resource(root, "health", "ANY")
        v1 = resource(root, "v1")
        resource(v1, "{proxy+}", "ANY", key=True)
        resource(v1, "exports", "POST", key=True)
        for problem in EDGE_PROBLEMS:
            gateway.put_gateway_response(
                restApiId=api,
                responseType=problem.response.response_type,
                statusCode=str(problem.status),
                responseParameters={f"gatewayresponse.header.{name}": told for name, told in problem.headers().items()},
                responseTemplates={"application/json": problem.body()},
            )
        deployment = gateway.create_deployment(restApiId=api)["id"]
        gateway.create_stage(restApiId=api, stageName="api", deploymentId=deployment)
        settings = {"*/*": (100, 200), "~1v1~1exports/POST": (1, 2)}
        gateway.update_stage(
            restApiId=api,
            stageName="api",
            patchOperations=[
                {"op": "replace", "path": f"/{place}/throttling/{name}", "value": str(value)}
                for place, rate in settings.items()
                for name, value in zip(("rateLimit", "burstLimit"), rate, strict=True)
            ],
        )
        for tier, (throttle, quota) in {"free": ((1, 3), 1000), "gold": ((50, 100), 5)}.items():
            plan = gateway.create_usage_plan(
                name=f"shop-{tier}",
                apiStages=[{"apiId": api, "stage": "api"}],
                throttle={"rateLimit": throttle[0], "burstLimit": throttle[1]},
                quota={"limit": quota, "period": "DAY"},
            )["id"]
            key = gateway.create_api_key(name=f"shop-{tier}", value=KEYS[tier], enabled=True)["id"]
            gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
        gateway.create_api_key(name="of-no-plan", value="key-of-no-plan-at-all-01", enabled=True)
    outputs = {"ApiId": api, "StageName": "api"}
    return LocalState("", running_engine.url, "", "embedded", {}, {}, outputs, "", "", "")


@pytest.fixture
def facts(state, tmp_path):
    """What is read of the engine, written and read again."""
    EdgeFacts.of(state).write(tmp_path / "edge.json")
    return EdgeFacts.read(tmp_path / "edge.json")


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ask(facts, clock):
    """`await ask("GET /v1/orders", tier)` is answered by the edge, or by an application that answers all with 200."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the application's"})

    edge = httpx.ASGITransport(Edge(app, Rules(facts, clock)))

    async def asked(request, key=None):
        verb, path = request.split()
        async with httpx.AsyncClient(transport=edge, base_url="http://dev") as http:
            return await http.request(verb, path, headers={"x-api-key": key} if key else {})

    return asked


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["instance"] == f"urn:uuid:{answer.headers['x-amzn-requestid']}"
    return told["title"]


def test_what_the_engine_tells_is_what_was_deployed(facts):
    assert facts.methods["/v1/{proxy+}"] == {"ANY": True}
    assert facts.plans == {
        KEYS["free"]: Plan("shop-free", Rate(1, 3), 1000),
        KEYS["gold"]: Plan("shop-gold", Rate(50, 100), 5),
    }
    assert (facts.rates["/v1/exports/POST"], facts.rates["*/*"]) == (Rate(1, 2), Rate(100, 200))
    assert set(facts.answers) >= {one.response.response_type for one in EDGE_PROBLEMS}


@pytest.mark.anyio
@pytest.mark.parametrize("key", [None, "no-such-key", "key-of-no-plan-at-all-01"])
async def test_who_has_no_key_of_a_plan_is_refused(ask, key):
    answer = await ask("GET /v1/orders", key)
    assert (answer.status_code, problem(answer)) == (403, "Invalid API key")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /health", 200),
        ("GET /v1/orders/1", 200),
        ("POST /v1/exports", 200),
        ("GET /v1/exports/1", 200),
        ("GET /v1/exports", 404),
        ("GET /v1", 404),
        ("GET /nowhere", 404),
        ("GET /", 404),
    ],
)
async def test_what_the_api_does_not_have_is_the_edge_s_404(ask, request_line, status):
    answer = await ask(request_line, KEYS["gold"])
    assert answer.status_code == status
    assert answer.text == "the application's" if status == 200 else problem(answer) == "Not Found"


@pytest.mark.anyio
async def test_a_plan_s_rate_holds_for_its_key_alone(ask, clock):
    assert [(await ask("GET /v1/orders", KEYS["free"])).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert (await ask("GET /v1/orders", KEYS["gold"])).status_code == 200
    answer = await ask("GET /v1/orders", KEYS["free"])
    assert (problem(answer), answer.headers["retry-after"]) == ("Quota exceeded", "1")
    clock.now_s = 1.0
    assert [(await ask("GET /v1/orders", KEYS["free"])).status_code for _ in range(2)] == [200, 429]


@pytest.mark.anyio
async def test_a_method_s_rate_holds_for_all_keys_together(ask):
    assert [(await ask("POST /v1/exports", KEYS["gold"])).status_code for _ in range(3)] == [200, 200, 429]
    assert (await ask("POST /v1/exports", KEYS["free"])).status_code == 429
    assert (await ask("GET /v1/orders", KEYS["free"])).status_code == 200


@pytest.mark.anyio
async def test_a_day_s_quota_ends_and_begins_anew(ask, clock):
    assert [(await ask("GET /v1/orders", KEYS["gold"])).status_code for _ in range(6)] == [200] * 5 + [429]
    answer = await ask("GET /v1/orders", KEYS["gold"])
    assert (answer.json()["detail"], answer.headers["retry-after"]) == (
        "The daily quota of this API key is used up.",
        "3600",
    )
    clock.now_s = 86_400.0
    assert (await ask("GET /v1/orders", KEYS["gold"])).status_code == 200


def test_an_engine_without_the_api_says_what_to_do(state):
    other = LocalState(**{**state.__dict__, "outputs": {"ApiId": "absent", "StageName": "api"}})
    with pytest.raises(LocalCloudError, match="Run `make up`"):
        EdgeFacts.of(other)


def test_the_keys_that_were_read_are_for_their_owner_only(state, tmp_path):
    EdgeFacts.of(state).write(tmp_path / "edge.json")
    assert (tmp_path / "edge.json").stat().st_mode & 0o777 == 0o600
    assert KEYS["free"] in json.loads((tmp_path / "edge.json").read_text())["plans"]
