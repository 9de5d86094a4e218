"""The canary in other people's stacks: functions of any language, and nothing of this repository's but the package."""

import csv
import json
import zipfile
from contextlib import suppress

import pytest
from aws_cdk import App, Aspects, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks

from functions.rollout.metrics import LAMBDA
from functions.rollout.order import Check, Order
from tests.infra.linted import findings
from tests.infra.test_grants import as_list
from tidegate_cdk import JudgedRelease, Metrics, ReleasedFunction, Rollout, Smoke, TidegateCounts, TidegateTable
from tidegate_cdk.release_time import ROOM_S, ReleaseTimeError

# What AwsSolutions asks for and a release doesn't do: the rule, where it is, and why not.
SUPPRESSED = {
    ("AwsSolutions-IAM5", "RolloutRole"): "Versions have numbers; no resource narrows GetMetricData.",
    ("AwsSolutions-L1", "Rollout"): "The controller's packages are tried on Python 3.13.",
    ("AwsSolutions-SF1", "Machine"): "An execution's history and the ledger hold every step.",
    ("AwsSolutions-SF2", "Machine"): "As SF1.",
}


class OutsidersStack(Stack):
    """A Python function and a Node function, as somebody has them, and the canary."""

    def __init__(self, scope, name, **options):
        super().__init__(scope, name)
        self.hello = lambda_.Function(
            self,
            "Hello",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context):\n    return 'hello'\n"),
        )
        self.sums = lambda_.Function(
            self,
            "Sums",
            runtime=lambda_.Runtime.NODEJS_22_X,
            handler="index.handler",
            code=lambda_.Code.from_inline("exports.handler = async () => 42"),
        )
        made = options.pop("made", lambda stack: {"functions": [stack.hello, stack.sums]})
        self.release = JudgedRelease(self, "Release", **{**made(self), **options})


class Outsider:
    """The template of the stack with these options of the release."""

    def __init__(self, folder, **options):
        self.folder = folder
        app = App(outdir=str(folder))
        self.stack = OutsidersStack(app, "Outsider", **options)
        self.document = app.synth().get_stack_by_name("Outsider").template

    def of(self, kind):
        return {name: made for name, made in self.document["Resources"].items() if made["Type"] == kind}

    def properties(self):
        (resource,) = self.of("Custom::TidegateRelease").values()
        return resource["Properties"]

    def order(self):
        """The order as the controller reads it, with CloudFormation's references in place of names."""
        return Order.of({**self.properties(), "Targets": [self._named(t) for t in self.properties()["Targets"]]})

    @staticmethod
    def _named(target):
        return {**target, "Name": target["Name"]["Ref"], "Version": target["Version"]["Fn::GetAtt"][0]}


@pytest.fixture(scope="module")
def outsider(tmp_path_factory):
    return Outsider(tmp_path_factory.mktemp("outsider"))


def test_each_function_gets_an_alias_that_waits_for_the_release(outsider):
    (release,) = outsider.of("Custom::TidegateRelease")
    aliases = outsider.of("AWS::Lambda::Alias").values()
    assert len(aliases) == 2
    for alias in aliases:
        assert alias["Properties"]["Name"] == "live"
        assert release in as_list(alias["DependsOn"])
    assert outsider.stack.release.alias(outsider.stack.hello).alias_name == "live"


def test_the_order_is_one_that_the_controller_reads(outsider):
    order = outsider.order()
    assert order.metrics == LAMBDA
    assert [target.serves for target in order.targets] == ["any", "any"]
    assert order.checks == {target.name: () for target in order.targets}, "nothing is asked of functions unasked"
    assert [step.percent for step in order.plan.steps] == [1, 10, 50, 75]
    assert order.replay_per_s == 0
    assert order.unattended == "roll_back"


def test_a_step_lasts_until_its_minutes_have_counted(outsider):
    order = outsider.order()
    late_s = 60 + order.metrics.settled_s
    assert order.plan.settle_s >= late_s + 60
    assert all(step.least_s >= order.plan.settle_s + 120 for step in order.plan.steps)
    assert order.look_s < 60


def test_versions_outlive_their_replacement(outsider):
    versions = outsider.of("AWS::Lambda::Version").values()
    assert len(versions) == 2
    assert {(of["UpdateReplacePolicy"], of["DeletionPolicy"]) for of in versions} == {
        ("Retain", "RetainExceptOnCreate")
    }


def test_the_controller_ships_with_its_packages(outsider):
    (path,) = {
        file["source"]["path"]
        for file in json.loads((outsider.folder / "Outsider.assets.json").read_text())["files"].values()
        if file["source"]["path"].endswith(".zip")
    }
    names = set(zipfile.ZipFile(outsider.folder / path).namelist())
    assert {"functions/__init__.py", "functions/rollout/handler.py", "boto3/__init__.py"} <= names
    assert any(name.startswith("botocore/data/cloudwatch/") for name in names)
    assert not [name for name in names if name.endswith((".pyc", ".so"))], "it runs on any platform"


def test_it_may_do_what_a_release_takes_of_these_functions_alone(outsider):
    (policy,) = (p for name, p in outsider.of("AWS::IAM::Policy").items() if "RolloutRole" in name)
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    unbounded = [as_list(s["Action"]) for s in statements if "*" in as_list(s["Resource"])]
    assert unbounded == [["cloudwatch:GetMetricData"]]
    assert "lambda:*" not in json.dumps(statements)


def test_cloudformation_s_own_schemas_find_nothing(outsider, tmp_path):
    file = tmp_path / "outsider.json"
    file.write_text(json.dumps(outsider.document))
    assert findings(file) == []


def test_aws_solutions_find_nothing_of_it_that_has_no_reason(tmp_path):
    app = App(outdir=str(tmp_path))
    OutsidersStack(app, "Outsider")
    Aspects.of(app).add(AwsSolutionsChecks())
    with suppress(RuntimeError):  # what it finds are errors of the synthesis
        app.synth()
    (report,) = tmp_path.glob("AwsSolutions-*.csv")
    rows = list(csv.DictReader(report.read_text().splitlines()))
    ours = [row for row in rows if row["Resource ID"].startswith("Outsider/Release/")]
    assert len(ours) > 10
    found = {(row["Rule ID"], row["Resource ID"]) for row in ours if row["Compliance"] not in {"Compliant", "N/A"}}
    assert {(rule, place.split("/")[2]) for rule, place in found} == set(SUPPRESSED)


def test_each_function_may_be_asked_its_own(tmp_path):
    def made(stack):
        own = ReleasedFunction(
            stack.sums, smoke=["/health", Smoke("/none", status=404), Smoke({"sum": [1, 2]}, status=200)]
        )
        return {"functions": [stack.hello, own], "smoke": [{"ping": True}]}

    order = Outsider(tmp_path, made=made).order()
    python, node = (order.checks[target.name] for target in order.targets)
    assert python == (Check(None, {"ping": True}),)
    assert node == (Check("/health", None, 200), Check("/none", None, 404), Check(None, {"sum": [1, 2]}, 200))


def test_an_alias_and_a_table_that_exist_are_taken(tmp_path):
    def made(stack):
        alias = lambda_.Alias(stack, "Prod", alias_name="prod", version=stack.hello.current_version)
        table = dynamodb.Table(
            stack, "Table", partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING)
        )
        return {"functions": [alias, stack.sums], "alias_name": "prod", "table": table}

    outsider = Outsider(tmp_path, made=made)
    assert {alias["Properties"]["Name"] for alias in outsider.of("AWS::Lambda::Alias").values()} == {"prod"}
    assert len(outsider.of("AWS::Lambda::Alias")) == 2
    assert len(outsider.of("AWS::DynamoDB::Table")) == 1
    assert outsider.properties()["Alias"] == "prod"


def test_alarms_metrics_migrations_and_the_way_are_its_user_s(tmp_path):
    def made(stack):
        metric = cloudwatch.Metric(namespace="Shop", metric_name="Failed", period=Duration.minutes(1))
        alarm = metric.create_alarm(stack, "Alarm", threshold=1, evaluation_periods=1)
        return {"functions": [stack.hello], "alarms": [alarm, "by-name"], "migrate": stack.sums}

    shop = Metrics("Shop", errors="Failed", duration="Took", dimensions={"service": "{function}", "v": "{version}"})
    outsider = Outsider(tmp_path, made=made, metrics=shop, strategy="5,25", step_s=300, unattended="go_on")
    order = outsider.order()
    assert order.metrics == LAMBDA._replace(**json.loads(shop.written()))
    assert order.metrics.of_version("f", "live", "7") == {"service": "f", "v": "7"}
    assert [(step.percent, step.most_s) for step in order.plan.steps] == [(5, 300), (25, 300), (75, 300)]
    assert order.unattended == "go_on"
    assert "Migrate" in outsider.properties()
    (machine,) = outsider.of("AWS::StepFunctions::StateMachine").values()
    definition = json.dumps(machine["Properties"]["DefinitionString"])
    assert "describeAlarms" in definition
    assert "by-name" in definition


def test_functions_with_the_library_are_judged_on_its_counts(tmp_path):
    def made(stack):
        vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
        counts = TidegateCounts("shop", {"TIDEGATE_REDIS_URL": "rediss://cache:6379"}, vpc)
        return {
            "functions": [stack.hello],
            "table": TidegateTable(stack, "Tidegate"),
            "metrics": counts,
        }

    outsider = Outsider(tmp_path, made=made)
    order = outsider.order()
    assert order.metrics is None
    (table,) = outsider.of("AWS::DynamoDB::Table").values()
    assert table["DeletionPolicy"] == "Retain"
    assert table["Properties"]["TimeToLiveSpecification"]["AttributeName"] == "expires_at"
    assert [step.least_s for step in order.plan.steps[:-1]] == [60, 60, 60]
    rollout, judge = (
        next(of["Properties"] for name, of in outsider.of("AWS::Lambda::Function").items() if f"Release{word}" in name)
        for word in ("Rollout", "Judge")
    )
    assert "VpcConfig" in judge
    assert "VpcConfig" not in rollout
    variables = judge["Environment"]["Variables"]
    assert (variables["TIDEGATE_NAMESPACE"], variables["TIDEGATE_REDIS_URL"]) == ("shop", "rediss://cache:6379")
    assert variables["TIDEGATE_TABLE"] == rollout["Environment"]["Variables"]["TIDEGATE_TABLE"]
    assert "GetMetricData" not in json.dumps(outsider.document)


@pytest.mark.parametrize("strategy", ["canary", "linear", "all-at-once", "50", "1,2,5,10,20,50"])
def test_every_strategy_fits_into_cloudformation_s_hour(tmp_path, strategy):
    order = Outsider(tmp_path, strategy=strategy).order()
    assert sum(step.most_s for step in order.plan.steps) + (order.hold_s if order.plan.steps else 0) <= ROOM_S
    assert all(step.least_s >= 150 for step in order.plan.steps)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"step_s": 60}, "a step of 60 s ends before a minute of it has counted: give step_s=150"),
        ({"rollout": Rollout(hold_s=3000)}, "CloudFormation waits for an hour"),
        (
            {"rollout": Rollout(weights=(50,), least_s=150, most_s=200, bake_s=0)},
            "over in 150 s, and a bad version is told from a good one in 300 s",
        ),
        ({"step_s": 900}, "give step_s=600 or less, or fewer steps"),
    ],
)
def test_a_release_whose_time_does_not_do_is_refused(tmp_path, options, said):
    with pytest.raises(ReleaseTimeError, match=said):
        Outsider(tmp_path, **options)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda stack: {"functions": []}, "at least one function"),
        (lambda stack: {"functions": [stack.hello, stack.hello]}, "each once"),
        (
            lambda stack: {
                "functions": [lambda_.Alias(stack, "A", alias_name="prod", version=stack.hello.current_version)]
            },
            "isn't named live: say alias_name",
        ),
        (lambda stack: {"functions": [stack.hello], "smoke": ["health"]}, "a path begins with a slash"),
        (lambda stack: {"functions": [stack.hello], "smoke": [Smoke("none", 404)]}, "a path begins with a slash"),
        (lambda stack: {"functions": [stack.hello], "metrics": TidegateCounts()}, "give table, the library's own"),
    ],
)
def test_what_can_not_be_released_is_refused(tmp_path, made, said):
    with pytest.raises(ValueError, match=said):
        Outsider(tmp_path, made=made)
