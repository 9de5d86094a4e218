from aws_cdk.assertions import Match


def test_the_function_is_this(synthesized):
    stage = synthesized.stage
    names = {function["FunctionName"] for function in synthesized.properties("AWS::Lambda::Function")}
    assert {f"Tidegate-{stage.name}-{name}" for name in ("api", "worker", "rollout")} <= names
    synthesized.template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "FunctionName": f"Tidegate-{stage.name}-api",
            "Handler": "functions.api.handler.handler",
            "Runtime": "python3.13",
            "Architectures": [stage.target.architecture],
            "MemorySize": stage.memory_mb,
            "LoggingConfig": {"LogGroup": Match.any_value()},
        },
    )


def test_it_ends_before_the_gateway_gives_up(synthesized):
    assert synthesized.function()["Timeout"] < 29


def test_its_layers_are_the_packages_and_the_library(synthesized):
    layers = synthesized.function()["Layers"]
    assert [layer["Ref"][:12] for layer in layers] == ["LayersDepend", "LayersTidega"]
    assert {layer["Ref"] for layer in layers} == set(synthesized.resources("AWS::Lambda::LayerVersion"))


def test_aws_runs_it_on_arm64_with_a_concurrency_of_its_own(both):
    function = both["aws"].function()
    assert function["Architectures"] == ["arm64"]
    assert function["ReservedConcurrentExecutions"] == both["aws"].stage.reserved_concurrency
    for name in ("TIDEGATE_FLEET_SIZE", "TIDEGATE_CAPACITY"):
        assert function["Environment"]["Variables"][name] == str(both["aws"].stage.reserved_concurrency)
    assert "ReservedConcurrentExecutions" not in both["local"].function()


def test_the_alias_live_names_the_published_version(synthesized):
    ((version_id, version),) = synthesized.of_function("AWS::Lambda::Version").items()
    (alias,) = (a["Properties"] for a in synthesized.of_function("AWS::Lambda::Alias").values())
    assert alias["Name"] == "live"
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [version_id, "Version"]}
    # What an alias may have to return to stays, and what a release that failed brought goes.
    assert (version["DeletionPolicy"], version["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_logs_end(synthesized):
    ((log_group_id, log_group),) = synthesized.of_function("AWS::Logs::LogGroup").items()
    assert log_group["Properties"]["RetentionInDays"] in {1, 30}
    function = synthesized.function()
    assert function["LoggingConfig"]["LogGroup"] == {"Ref": log_group_id}
    assert log_group["DeletionPolicy"] == ("RetainExceptOnCreate" if synthesized.stage.keep_data else "Delete")


def test_the_environment_configures_the_library_and_the_shop(both):
    common = {
        "POWERTOOLS_METRICS_NAMESPACE",
        "POWERTOOLS_SERVICE_NAME",
        "TIDEGATE_NAMESPACE",
        "TIDEGATE_ORDERS_TABLE",
        "TIDEGATE_PRODUCTS_TABLE",
        "TIDEGATE_QUEUE_URL",
        "TIDEGATE_REDIS_URL",
        "TIDEGATE_TABLE",
    }
    environments = {name: synthesized.function()["Environment"]["Variables"] for name, synthesized in both.items()}
    assert set(environments["local"]) == common | {
        "TIDEGATE_TRUST_API_KEY_HEADER",
        "TIDEGATE_HEALTH_DETAILS",
        "TIDEGATE_PRINCIPAL_SECRET",
        "TIDEGATE_DECISION_BUDGET_MS",
        "TIDEGATE_SHED_WAIT_MS",
        "TIDEGATE_SHED_DATABASE_MS",
    }
    assert environments["local"]["TIDEGATE_TRUST_API_KEY_HEADER"] == "1"
    # On AWS the gateway says which key it has checked; a header alone proves nothing.
    assert set(environments["aws"]) == common | {
        "TIDEGATE_REDIS_CLUSTER",
        "TIDEGATE_REDIS_IAM_USER",
        "TIDEGATE_REDIS_IAM_CACHE",
        "TIDEGATE_CAPACITY",
        "TIDEGATE_FLEET_SIZE",
    }
