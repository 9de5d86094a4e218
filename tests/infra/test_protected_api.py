"""A protected API in somebody else's stack: what its ten lines make."""

import json
import zipfile

import pytest
from aws_cdk import App
from aws_cdk import aws_dynamodb as dynamodb

from functions.rollout.order import Order
from tests.infra.letters import CODE, Letters, LettersStack
from tests.infra.linted import findings
from tests.infra.test_grants import as_list
from tidegate_cdk import ApplicationTable, Migrations, ProtectedApi, Queue, Rates, SettingError, Smoke, Throttle

pytestmark = pytest.mark.xdist_group("templates")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("letters")


@pytest.fixture(scope="module")
def letters(folder):
    return Letters(folder, queue=Queue("app.worker"))


def test_the_edge_calls_the_alias_which_waits_for_the_release(letters):
    (release,) = letters.of("Custom::TidegateRelease")
    aliases = letters.of("AWS::Lambda::Alias")
    assert len(aliases) == 2
    for alias in aliases.values():
        assert alias["Properties"]["Name"] == "live"
        assert release in as_list(alias["DependsOn"])
    api = next(name for name in aliases if "worker" not in name)
    for method in letters.all("AWS::ApiGateway::Method"):
        assert {"Ref": api} in method["Integration"]["Uri"]["Fn::Join"][1]


def test_all_but_health_needs_a_key_of_a_plan(letters):
    assert letters.methods() == {
        ("/", "ANY"): True,
        ("/{proxy+}", "ANY"): True,
        ("/health", "ANY"): False,
        ("/health/{proxy+}", "ANY"): False,
    }
    assert {plan["UsagePlanName"] for plan in letters.all("AWS::ApiGateway::UsagePlan")} == {
        "letters-free",
        "letters-pro",
        "letters-internal",
    }


def test_the_edge_answers_in_problem_details(letters):
    answers = letters.all("AWS::ApiGateway::GatewayResponse")
    assert {"THROTTLED", "QUOTA_EXCEEDED", "DEFAULT_5XX"} <= {answer["ResponseType"] for answer in answers}
    for answer in answers:
        assert json.loads(answer["ResponseTemplates"]["application/json"])["status"] == int(answer["StatusCode"])


def test_a_method_s_throttle_stands_below_the_whole_one(tmp_path):
    made = Letters(tmp_path, rates=Rates(Throttle(100, 200), methods={"/letters/POST": Throttle(5, 10)}))
    settings = made.only("AWS::ApiGateway::Stage")["MethodSettings"]
    assert settings[0]["ThrottlingRateLimit"] == 100
    (letters,) = (of for of in settings if of["ResourcePath"] == "/~1letters")
    assert (letters["HttpMethod"], letters["ThrottlingRateLimit"]) == ("POST", 5)
    assert made.methods()["/letters", "POST"]
    assert made.methods()["/letters", "ANY"]


def test_data_outlive_the_stack(letters):
    (table,) = letters.of("AWS::DynamoDB::Table").values()
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert table["Properties"]["DeletionProtectionEnabled"]
    assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_logs_end_after_a_month(letters):
    groups = letters.all("AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups} == {30}


def test_its_functions_find_their_stores_and_nothing_secret(letters):
    for name in ("api", "worker", "rollout", "judge"):
        variables = letters.variables(name)
        assert variables["TIDEGATE_NAMESPACE"] == "letters"
        assert variables["TIDEGATE_REDIS_URL"]["Fn::Join"][1][0] == "rediss://"
        assert variables["TIDEGATE_REDIS_IAM_USER"] == "letters"
        assert not [word for word in variables if "SECRET" in word or "PASSWORD" in word]
    assert "TIDEGATE_DEAD_LETTER_URL" in letters.variables("worker")


def test_its_functions_may_touch_the_librarys_items_alone(letters):
    (table,) = letters.of("AWS::DynamoDB::Table")
    for name in ("api", "worker"):
        of_tables = [s for s in letters.statements(name) if any("dynamodb:" in a for a in as_list(s["Action"]))]
        assert len(of_tables) == 2
        for statement in of_tables:
            assert statement["Resource"] == {"Fn::GetAtt": [table, "Arn"]}
            assert statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        unbounded = {a for s in letters.statements(name) if "*" in as_list(s["Resource"]) for a in as_list(s["Action"])}
        assert {action.partition(":")[0] for action in unbounded} == {"ec2"}, "what Lambda attaches it to the VPC with"
    assert not [s for s in letters.statements() if any(":*" in action for action in as_list(s["Action"]))]


def test_the_librarys_layer_comes_last(folder, letters):
    (layer,) = letters.of("AWS::Lambda::LayerVersion")
    assert letters.function()["Layers"][-1] == {"Ref": layer}
    archives = [set(zipfile.ZipFile(file).namelist()) for file in folder.glob("asset.*.zip")]
    assert any("python/tidegate/guard.py" in names for names in archives)
    assert any("functions/rollout/handler.py" in names for names in archives)


def test_the_order_is_one_that_the_controller_reads(tmp_path):
    made = Letters(
        tmp_path,
        smoke=["/health", Smoke("/letters/none", status=404)],
        release="5,25",
        migrations=Migrations("app.migrate"),
    )
    properties = next(iter(made.of("Custom::TidegateRelease").values()))["Properties"]
    targets = [
        {**of, "Name": of["Name"]["Ref"], "Version": of["Version"]["Fn::GetAtt"][0]} for of in properties["Targets"]
    ]
    order = Order.of({**properties, "Targets": targets})
    assert [step.percent for step in order.plan.steps] == [5, 25, 75]
    assert order.metrics is None, "it is judged by the library's own counts"
    asked = [check for checks in order.checks.values() for check in checks]
    assert [(check.path, check.status) for check in asked] == [("/health", 200), ("/letters/none", 404)]
    assert properties["Migrate"]
    assert made.function("migrate")["Handler"] == "app.migrate"


def test_tables_that_the_application_brings_are_granted_and_reached(tmp_path):
    def made(stack):
        key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
        letters = dynamodb.Table(stack, "Posted", partition_key=key)
        return {
            "tables": [
                ApplicationTable(letters, ["dynamodb:PutItem"], {"by_day": ["dynamodb:Query"]}, variable="POSTED")
            ]
        }

    made = Letters(tmp_path, made=made)
    (posted,) = (name for name in made.of("AWS::DynamoDB::Table") if name.startswith("Posted"))
    arn = {"Fn::GetAtt": [posted, "Arn"]}
    assert made.variables()["POSTED"] == {"Ref": posted}
    granted = {tuple(as_list(s["Action"])): s["Resource"] for s in made.statements()}
    assert granted["dynamodb:PutItem",] == arn
    assert granted["dynamodb:Query",] == {"Fn::Join": ["", [arn, "/index/by_day"]]}
    endpoint = next(of for of in made.all("AWS::EC2::VPCEndpoint") if of["VpcEndpointType"] == "Gateway")
    assert arn in endpoint["PolicyDocument"]["Statement"][0]["Resource"]


def test_cloudformation_s_own_schemas_find_nothing(letters, tmp_path):
    file = tmp_path / "letters.json"
    file.write_text(letters.text())
    assert findings(file) == []


def test_a_stack_has_one():
    def more(stack):
        ProtectedApi(stack, "Second", code=str(CODE), handler="app.handler")

    with pytest.raises(SettingError, match=r"Letters has Api already.*make a stack of its own for Second"):
        LettersStack(App(), more=more)
