from dataclasses import replace

import pytest

from infra.stages import AWS, LOCAL
from tests.infra.conftest import ROOT, synthesize
from tidegate_build.assets import Workspace
from tidegate_cdk import Plan, Throttle
from tidegate_cdk.api.cors import Cors
from tidegate_cdk.setting_error import SettingError
from tidegate_local.stacks.api_keys import output_of

VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def methods(synthesized):
    """Every method by its path, such as GET /v1/reports/sales."""
    resources = synthesized.resources("AWS::ApiGateway::Resource")

    def path(reference):
        if "Fn::GetAtt" in reference:
            return ""
        properties = resources[reference["Ref"]]["Properties"]
        return f"{path(properties['ParentId'])}/{properties['PathPart']}"

    return {
        f"{method['HttpMethod']} {path(method['ResourceId'])}": method
        for method in synthesized.properties("AWS::ApiGateway::Method")
    }


def test_the_methods_are_these(synthesized):
    assert sorted(methods(synthesized)) == [
        "ANY /health",
        "ANY /health/{proxy+}",
        "ANY /v1/exports",
        "ANY /v1/reports",
        "ANY /v1/reports/sales",
        "ANY /v1/{proxy+}",
        "GET /v1/reports/sales",
        "POST /v1/exports",
    ]


def test_a_key_is_needed_everywhere_but_for_health(synthesized):
    for path, method in methods(synthesized).items():
        assert method.get("ApiKeyRequired", False) == ("/v1/" in path), path


def test_every_method_asks_the_alias(synthesized):
    (alias,) = synthesized.of_function("AWS::Lambda::Alias")
    for path, method in methods(synthesized).items():
        assert method["Integration"]["Type"] == "AWS_PROXY", path
        assert {"Ref": alias} in method["Integration"]["Uri"]["Fn::Join"][1], path


def test_the_gateway_may_invoke_the_alias_and_nothing_else(synthesized):
    (alias,) = synthesized.of_function("AWS::Lambda::Alias")
    permissions = {one["Principal"]: one for one in synthesized.properties("AWS::Lambda::Permission")}
    assert set(permissions) == {"apigateway.amazonaws.com", "events.amazonaws.com"}
    permission = permissions["apigateway.amazonaws.com"]
    assert permission["FunctionName"] == {"Ref": alias}
    (api,) = synthesized.resources("AWS::ApiGateway::RestApi")
    assert {"Ref": api} in permission["SourceArn"]["Fn::Join"][1]


def test_the_stage_and_the_expensive_methods_have_throttles_of_their_own(synthesized):
    deployed = synthesized.only("AWS::ApiGateway::Stage")
    assert deployed["StageName"] == "api"
    throttles = {
        (setting["ResourcePath"].replace("~1", "/").replace("//", "/"), setting["HttpMethod"]): (
            setting["ThrottlingRateLimit"],
            setting["ThrottlingBurstLimit"],
        )
        for setting in deployed["MethodSettings"]
    }
    health = (20, 40) if synthesized.stage.name == "aws" else (1000, 2000)
    assert throttles == {
        ("/*", "*"): (2000, 4000),
        ("/v1/reports/sales", "GET"): (5, 10),
        ("/v1/exports", "POST"): (10, 20),
        **{(path, verb): health for path in ("/health", "/health/{proxy+}") for verb in VERBS},
    }


def test_what_needs_no_key_is_throttled_for_every_verb_that_it_takes(synthesized):
    """ANY is no method of a stage's settings: API Gateway refuses it there."""
    settings = synthesized.only("AWS::ApiGateway::Stage")["MethodSettings"]
    throttled = {
        f"{setting['HttpMethod']} {setting['ResourcePath'].replace('~1', '/').replace('//', '/')}"
        for setting in settings
    }
    for path, method in methods(synthesized).items():
        if not method.get("ApiKeyRequired", False):
            verb, _, place = path.partition(" ")
            assert {f"{each} {place}" for each in (VERBS if verb == "ANY" else [verb])} <= throttled, path
    assert not any(one.startswith("ANY ") for one in throttled)


def test_paths_of_throttles_are_written_as_the_stage_reads_them(both):
    def paths(synthesized):
        settings = synthesized.only("AWS::ApiGateway::Stage")["MethodSettings"]
        return [setting["ResourcePath"] for setting in settings]

    # CloudFormation wants slashes encoded; MiniStack compares the path as it stands.
    health = [path for path in ("/health", "/health/{proxy+}") for _ in VERBS]
    encoded = ["/" + path.replace("/", "~1") for path in health]
    assert paths(both["aws"]) == ["/*", "/~1v1~1reports~1sales", "/~1v1~1exports", *encoded]
    assert paths(both["local"]) == ["/*", "/v1/reports/sales", "/v1/exports", *health]


@pytest.mark.parametrize(
    ("tier", "throttle", "quota"),
    [
        ("free", {"RateLimit": 20, "BurstLimit": 60}, {"Limit": 10_000, "Period": "DAY"}),
        ("pro", {"RateLimit": 100, "BurstLimit": 200}, {"Limit": 1_000_000, "Period": "DAY"}),
        ("internal", {"RateLimit": 1000, "BurstLimit": 2000}, None),
    ],
)
def test_each_tier_has_a_plan_and_a_key(synthesized, tier, throttle, quota):
    api = synthesized.only("AWS::ApiGateway::RestApi")["Name"]
    assert api.endswith(f"-{synthesized.stage.name}")
    name = f"{api}-{tier}"
    plans = synthesized.resources("AWS::ApiGateway::UsagePlan").items()
    ((plan_id, plan),) = [p for p in plans if p[1]["Properties"]["UsagePlanName"] == name]
    assert plan["Properties"]["Throttle"] == throttle
    assert plan["Properties"].get("Quota") == quota
    (covered,) = plan["Properties"]["ApiStages"]
    (deployed,) = synthesized.resources("AWS::ApiGateway::Stage")
    assert covered["Stage"] == {"Ref": deployed}

    ((key_id, key),) = [
        k for k in synthesized.resources("AWS::ApiGateway::ApiKey").items() if k[1]["Properties"]["Name"] == name
    ]
    assert key["Properties"]["Enabled"] is True
    assert "Value" not in key["Properties"]  # API Gateway makes it: no template holds a key
    members = synthesized.properties("AWS::ApiGateway::UsagePlanKey")
    assert {"KeyId": {"Ref": key_id}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": plan_id}} in members


def test_outputs_say_where_things_are(synthesized):
    assert sorted(synthesized.document["Outputs"]) == [
        "AliasName",
        "ApiId",
        "ApiUrl",
        "DeadLetterUrl",
        "FreeKeyId",
        "FunctionName",
        "InternalKeyId",
        "LogGroupName",
        "MigrateName",
        "OrdersTable",
        "ProKeyId",
        "ProductsTable",
        "QueueUrl",
        "ReleaseMachine",
        "StageName",
        "TidegateTable",
        "WorkerLogGroupName",
        "WorkerName",
    ]
    outputs = synthesized.document["Outputs"]
    assert outputs["StageName"]["Value"] == "api"
    assert outputs["AliasName"]["Value"] == "live"


@pytest.fixture(scope="module")
def unusual(tmp_path_factory):
    """A stage whose throttles, tiers and origins are of every sort at once."""
    throttle = Throttle(rate_per_s=1, burst=1)
    stage = replace(
        LOCAL,
        plans={tier: Plan(throttle, None) for tier in ("gold-plus", "silver", "b2b")},
        cors=Cors(("https://a.example", "http://localhost:3000"), headers=("X-Api-Key",), max_age_s=60),
        method_throttles={
            "/v1/books/search/GET": throttle,
            "/v1/books/{book_id}/pages/{page}/PUT": throttle,
            "/v1/stock/ANY": throttle,
            "/v1/{proxy+}/PATCH": throttle,
            "/health/GET": throttle,
        },
    )
    return synthesize(stage, tmp_path_factory.mktemp("unusual"), Workspace.at(ROOT))


def by_path(synthesized):
    found = {}
    for method in methods(synthesized):
        verb, _, path = method.partition(" ")
        found.setdefault(path, set()).add(verb)
    return found


@pytest.mark.parametrize("which", ["both", "unusual"])
def test_a_path_that_has_a_method_serves_every_verb(request, which):
    """API Gateway takes the best path first and then looks for the verb there: nothing falls back to the proxy."""
    made = request.getfixturevalue(which)
    for synthesized in made.values() if which == "both" else [made]:
        for path, verbs in by_path(synthesized).items():
            assert "ANY" in verbs or set(VERBS) <= verbs, path
        resources = synthesized.resources("AWS::ApiGateway::Resource")
        # A path on the way to another one would hide the proxy's, too; /v1 itself is none of its.
        assert len(resources) == len(by_path(synthesized)) + 1


def test_every_throttle_is_of_a_method_that_a_stage_can_name(unusual):
    settings = unusual.only("AWS::ApiGateway::Stage")["MethodSettings"]
    throttled = {(setting["ResourcePath"], setting["HttpMethod"]) for setting in settings[1:]}
    assert len(throttled) == len(settings) - 1
    assert {("/v1/stock", verb) for verb in VERBS} <= throttled
    assert ("/v1/books/{book_id}/pages/{page}", "PUT") in throttled
    (health,) = [s for s in settings if (s["ResourcePath"], s["HttpMethod"]) == ("/health", "GET")]
    assert health["ThrottlingRateLimit"] == 1  # what is declared wins over what all of health has


def test_a_tier_s_key_is_an_output_that_the_tools_find(unusual):
    outputs = unusual.document["Outputs"]
    assert {name for name in outputs if name.endswith("KeyId")} == {"GoldPlusKeyId", "SilverKeyId", "B2BKeyId"}
    for tier in unusual.stage.plans:
        key = outputs[output_of(tier)]["Value"]["Ref"]
        named = unusual.resources("AWS::ApiGateway::ApiKey")[key]["Properties"]["Name"]
        assert named == f"{unusual.only('AWS::ApiGateway::RestApi')['Name']}-{tier}"


@pytest.mark.parametrize("tiers", [["Gold"], ["gold_plus"], ["gold plus"], ["-gold"], ["gold-plus", "goldplus"], [""]])
def test_tiers_whose_resources_would_not_be_told_apart_are_refused(tiers):
    with pytest.raises(SettingError, match="such as gold-plus"):
        replace(AWS, plans=dict.fromkeys(tiers, AWS.plans["free"]))


@pytest.mark.parametrize("method", ["/v1/x", "v1/x/GET", "/v1/x/get", "/v1/x/TRACE", "GET", "/v1/x/GET/"])
def test_a_throttle_of_no_method_is_refused(method):
    with pytest.raises(SettingError, match="such as /v1/exports/POST"):
        replace(AWS, method_throttles={method: Throttle(1, 1)})


def test_answers_may_be_bytes_unless_a_stage_says_otherwise(synthesized, tmp_path):
    assert synthesized.only("AWS::ApiGateway::RestApi")["BinaryMediaTypes"] == ["*/*"]
    text = synthesize(replace(LOCAL, binary_media_types=()), tmp_path, Workspace.at(ROOT))
    assert "BinaryMediaTypes" not in text.only("AWS::ApiGateway::RestApi")


def test_no_page_of_another_origin_reads_an_answer_by_default(synthesized):
    assert not [method for method in methods(synthesized) if method.startswith("OPTIONS")]
    assert "Access-Control" not in str(synthesized.document)


def test_a_preflight_needs_no_key_and_no_function(unusual):
    preflights = {path: made for path, made in methods(unusual).items() if path.startswith("OPTIONS ")}
    assert {path.partition(" ")[2] for path in preflights} == set(by_path(unusual))
    for path, made in preflights.items():
        assert made["ApiKeyRequired"] is False, path
        assert made["Integration"]["Type"] == "MOCK", path
        # All types are bytes at this edge, and a template is none.
        assert made["Integration"]["ContentHandling"] == "CONVERT_TO_TEXT", path
        (answer,) = made["Integration"]["IntegrationResponses"]
        assert answer["ResponseParameters"]["method.response.header.Access-Control-Allow-Headers"] == "'X-Api-Key'"
        for origin in unusual.stage.cors.origins:
            assert f'$origin == "{origin}"' in answer["ResponseTemplates"]["application/json"]


def test_a_page_reads_the_edge_s_own_answers_too(unusual):
    for response in unusual.properties("AWS::ApiGateway::GatewayResponse"):
        assert response["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"


def test_the_functions_know_the_origins(unusual):
    variables = unusual.function("api")["Environment"]["Variables"]
    assert variables["TIDEGATE_CORS_ORIGINS"] == "https://a.example,http://localhost:3000"


@pytest.mark.parametrize(
    "origins",
    [(), ("shop.example",), ("https://shop.example/",), ("https://a.example", "*"), ("https://a'b",), ("null",)],
)
def test_what_no_browser_sends_as_an_origin_is_refused(origins):
    with pytest.raises(SettingError, match="as browsers do"):
        Cors(origins)
