import contextlib
from collections import Counter

import httpx
import pytest

from tidegate_local import cloud
from tidegate_local.engines.ministack.weighted_aliases import drawn_version

pytestmark = pytest.mark.slow

CALLS = 300
# 300 draws at 0.3 are 90 +- 7.9: five deviations off happens once in two million runs.
LOWEST, HIGHEST = 50, 130

# Says which version it is in three ways that the engine derives from the one record that it runs.
SOURCE = """
import json, os

def handler(event, context):
    told = {
        "environment": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        "context": context.function_version,
        "arn": context.invoked_function_arn,
    }
    return {"statusCode": 200, "body": json.dumps(told)} if event and "httpMethod" in event else told
"""


@pytest.fixture
def weighted(functions, make_function, request):
    """A function with an alias `live`: version 1, and 0.3 of the traffic on version 2."""
    name = request.node.name.replace("[", "-").replace("]", "")
    make_function(name, SOURCE)
    functions.publish_version(FunctionName=name)
    functions.update_function_configuration(FunctionName=name, Description="the second")
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
    functions.publish_version(FunctionName=name)
    functions.create_alias(
        FunctionName=name,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.3}},
    )
    return name


def test_an_alias_splits_its_invocations_by_weight(functions, weighted):
    executed, told = Counter(), Counter()
    for _ in range(CALLS):
        answer = functions.invoke(FunctionName=weighted, Qualifier="live")
        payload = httpx.Response(200, content=answer["Payload"].read()).json()
        executed[answer["ExecutedVersion"]] += 1
        told[payload["environment"]] += 1
        # One draw per invocation: the header and all that the function sees of itself agree.
        assert payload["environment"] == payload["context"] == answer["ExecutedVersion"]
        assert payload["arn"].endswith(f":{answer['ExecutedVersion']}")
    assert LOWEST <= executed["2"] <= HIGHEST
    assert executed == told
    assert set(executed) == {"1", "2"}


def test_it_splits_behind_api_gateway(running_engine, functions, weighted):
    arn = functions.get_alias(FunctionName=weighted, Name="live")["AliasArn"]
    with contextlib.closing(cloud.client("apigateway", running_engine.url)) as gateway:
        api = gateway.create_rest_api(name=weighted)["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
        gateway.put_method(**method, authorizationType="NONE")
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        gateway.create_deployment(restApiId=api, stageName="api")
    with httpx.Client(base_url=f"{running_engine.url}/_aws/execute-api/{api}/api") as http:
        told = [http.get("/").json() for _ in range(CALLS)]
    assert all(one["environment"] == one["context"] for one in told)
    assert LOWEST <= Counter(one["environment"] for one in told)["2"] <= HIGHEST


def test_a_changed_weight_counts_at_once(functions, weighted):
    functions.update_alias(FunctionName=weighted, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
    assert {functions.invoke(FunctionName=weighted, Qualifier="live")["ExecutedVersion"] for _ in range(20)} == {"2"}
    functions.update_alias(FunctionName=weighted, Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert {functions.invoke(FunctionName=weighted, Qualifier="live")["ExecutedVersion"] for _ in range(20)} == {"1"}


def test_reading_an_alias_configuration_is_no_lottery(functions, weighted):
    shown = {
        functions.get_function_configuration(FunctionName=weighted, Qualifier="live")["Version"] for _ in range(30)
    }
    shown |= {
        functions.get_function(FunctionName=weighted, Qualifier="live")["Configuration"]["Version"] for _ in range(30)
    }
    assert shown == {"1"}


@pytest.mark.parametrize("qualifier", [None, "$LATEST", "2", "unknown"])
def test_any_other_qualifier_stays_as_it_is(qualifier):
    assert drawn_version({"aliases": {"live": {"FunctionVersion": "1"}}}, qualifier) == qualifier


@pytest.mark.parametrize("function", [None, {}, {"aliases": {}}])
def test_a_function_without_aliases_needs_no_draw(function):
    assert drawn_version(function, "live") == "live"


def test_an_alias_without_weights_is_its_version():
    assert drawn_version({"aliases": {"live": {"FunctionVersion": "7"}}}, "live") == "7"


def test_several_weights_are_drawn_in_proportion(monkeypatch):
    function = {
        "aliases": {
            "live": {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.2, "3": 0.3}}}
        }
    }
    drawn = []
    for draw in (0.0, 0.19, 0.21, 0.49, 0.51, 0.99):
        monkeypatch.setattr("random.random", lambda draw=draw: draw)
        drawn.append(drawn_version(function, "live"))
    assert drawn == ["2", "2", "3", "3", "1", "1"]
