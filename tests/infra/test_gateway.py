import pytest


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
    permission = synthesized.only("AWS::Lambda::Permission")
    assert permission["FunctionName"] == {"Ref": alias}
    assert permission["Principal"] == "apigateway.amazonaws.com"
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
    assert throttles == {
        ("/*", "*"): (2000, 4000),
        ("/v1/reports/sales", "GET"): (5, 10),
        ("/v1/exports", "POST"): (10, 20),
    }


def test_paths_of_throttles_are_written_as_the_stage_reads_them(both):
    def paths(synthesized):
        settings = synthesized.only("AWS::ApiGateway::Stage")["MethodSettings"]
        return [setting["ResourcePath"] for setting in settings]

    # CloudFormation wants slashes encoded; MiniStack compares the path as it stands.
    assert paths(both["aws"]) == ["/*", "/~1v1~1reports~1sales", "/~1v1~1exports"]
    assert paths(both["local"]) == ["/*", "/v1/reports/sales", "/v1/exports"]


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
