"""A protected API in somebody else's stack, with parts replaced or left out, and arguments that are wrong."""

import pytest
from aws_cdk import App, Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sqs as sqs

from tests.infra.letters import Letters, LettersStack
from tests.infra.test_grants import as_list
from tidegate_cdk import (
    ApplicationTable,
    CacheLimits,
    Cors,
    Edge,
    EdgeThrottles,
    ExistingRedis,
    JudgedRelease,
    Keeping,
    Paths,
    Place,
    Plan,
    Queue,
    Rates,
    Rollout,
    SettingError,
    Sizing,
    Throttle,
    TidegateTable,
)
from tidegate_cdk.release_time import ReleaseTimeError
from tidegate_cdk.strategy import StrategyError

pytestmark = pytest.mark.xdist_group("templates")

# What each part alone brings.
KINDS = {
    "cache": {"AWS::ElastiCache::ServerlessCache", "AWS::ElastiCache::User", "AWS::EC2::VPC", "AWS::EC2::VPCEndpoint"},
    "release": {"Custom::TidegateRelease", "AWS::StepFunctions::StateMachine", "AWS::Events::Rule"},
    "observability": {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic"},
    "plans": {"AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::ApiKey"},
}
WEB_ACL = "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/own/0b2c"
PLAIN = Edge(firewall=None, access_logs=False)


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return Letters(tmp_path_factory.mktemp("usual"))


@pytest.mark.parametrize("part", sorted(KINDS))
def test_a_part_that_is_none_is_left_out(usual, tmp_path, part):
    assert usual.types() >= KINDS[part]
    made = Letters(tmp_path, **{part: None})
    assert not made.types() & KINDS[part]
    assert made.types() >= set.union(*(kinds for other, kinds in KINDS.items() if other != part))


def test_without_a_cache_dynamodb_decides(tmp_path):
    made = Letters(tmp_path, cache=None)
    assert not [name for name in made.variables() if "REDIS" in name]
    assert "VpcConfig" not in made.function()
    assert "elasticache:Connect" not in made.text()
    names = {alarm["AlarmName"] for alarm in made.all("AWS::CloudWatch::Alarm")}
    assert "Letters-Shed" in names
    assert "Letters-Fallback" not in names, "it would ring for ever"


def test_without_plans_no_method_asks_for_a_key(tmp_path):
    assert set(Letters(tmp_path, plans=None).methods().values()) == {False}


def test_without_a_queue_there_is_no_worker(usual):
    assert not usual.types() & {"AWS::SQS::Queue", "AWS::Lambda::EventSourceMapping"}
    assert not [name for name in usual.variables() if "QUEUE" in name]
    assert "sqs:SendMessage" not in usual.text()
    assert not [alarm for alarm in usual.all("AWS::CloudWatch::Alarm") if "DeadLetters" in alarm["AlarmName"]]


def test_firewall_and_access_logs_are_left_out_of_the_edge(usual, tmp_path):
    kinds = {"AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation", "AWS::ApiGateway::Account"}
    assert usual.types() >= kinds
    made = Letters(tmp_path, edge=PLAIN)
    assert not made.types() & kinds
    assert "AccessLogSetting" not in made.only("AWS::ApiGateway::Stage")


def test_a_web_acl_that_exists_is_put_before_the_stage(tmp_path):
    made = Letters(tmp_path, edge=Edge(firewall=WEB_ACL))
    assert made.only("AWS::WAFv2::WebACLAssociation")["WebACLArn"] == WEB_ACL
    assert "AWS::WAFv2::WebACL" not in made.types()


def test_a_redis_that_exists_is_reached_from_its_network(tmp_path):
    def made(stack):
        vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
        group = ec2.SecurityGroup(stack, "Functions", vpc=vpc)
        redis = ExistingRedis("rediss://own:6379", cluster=True, place=Place(vpc, security_groups=[group]))
        return {"cache": redis, "queue": Queue("app.worker")}

    made = Letters(tmp_path, made=made)
    for name in ("api", "worker", "judge"):
        assert made.variables(name)["TIDEGATE_REDIS_URL"] == "rediss://own:6379"
        assert made.variables(name)["TIDEGATE_REDIS_CLUSTER"] == "1"
        assert made.function(name)["VpcConfig"]["SecurityGroupIds"]
    assert "VpcConfig" not in made.function("rollout"), "Lambda's API isn't in the network"
    assert "AWS::ElastiCache::ServerlessCache" not in made.types()
    assert len(made.of("AWS::EC2::VPC")) == 1
    assert "Letters-Fallback" in {alarm["AlarmName"] for alarm in made.all("AWS::CloudWatch::Alarm")}


def test_queues_and_a_table_that_exist_are_taken(tmp_path):
    def made(stack):
        six_times = Duration.minutes(6)
        queues = tuple(sqs.Queue(stack, of, fifo=True, visibility_timeout=six_times) for of in ("Waiting", "Dead"))
        table = TidegateTable(stack, "Own")
        return {"queue": Queue("app.worker", queues=queues), "table": table}

    made = Letters(tmp_path, made=made)
    waiting, dead = (next(name for name in made.of("AWS::SQS::Queue") if name.startswith(n)) for n in ("Wait", "Dead"))
    assert len(made.of("AWS::SQS::Queue")) == 2
    assert made.variables("worker")["TIDEGATE_QUEUE_URL"] == {"Ref": waiting}
    assert made.variables("worker")["TIDEGATE_DEAD_LETTER_URL"] == {"Ref": dead}
    assert made.only("AWS::Lambda::EventSourceMapping")["EventSourceArn"] == {"Fn::GetAtt": [waiting, "Arn"]}
    (own,) = made.of("AWS::DynamoDB::Table")
    assert made.variables()["TIDEGATE_TABLE"] == {"Ref": own}


def test_plans_of_one_s_own_are_made_beside_it(tmp_path):
    def more(stack):
        own = {"gold": Plan(Throttle(1, 2))}
        EdgeThrottles(stack, "Throttles", api=stack.letters.gateway.api, plans=own)

    made = Letters(tmp_path, plans={}, more=more)
    assert [plan["UsagePlanName"] for plan in made.all("AWS::ApiGateway::UsagePlan")] == ["letters-gold"]
    assert made.methods()["/{proxy+}", "ANY"]


def test_a_judged_release_of_one_s_own_has_the_alias(tmp_path):
    def more(stack):
        JudgedRelease(stack, "Own", functions=[stack.letters.api.alias])

    made = Letters(tmp_path, release=None, more=more)
    ((release, of),) = made.of("Custom::TidegateRelease").items()
    assert "Evidence" in of["Properties"]
    (alias,) = made.of("AWS::Lambda::Alias").values()
    assert release in as_list(alias["DependsOn"])


def test_codedeploy_shifts_the_alias_where_it_is_asked_to(tmp_path):
    made = Letters(tmp_path, release=Rollout(weights=(10,), by="codedeploy"))
    (alias,) = made.of("AWS::Lambda::Alias").values()
    assert "CodeDeployLambdaAliasUpdate" in alias["UpdatePolicy"]
    assert "Custom::TidegateRelease" not in made.types()
    assert made.function("hook")["Handler"] == "functions.rollout.hook.handler"


def test_a_base_path_and_pages_of_another_origin(tmp_path):
    made = Letters(tmp_path, paths=Paths("/api/v2", health="/up"), cors=Cors(("https://www.example.com",)))
    methods = made.methods()
    assert {path for path, verb in methods if verb == "ANY"} == {"/api/v2/{proxy+}", "/up", "/up/{proxy+}"}
    assert methods["/api/v2/{proxy+}", "OPTIONS"] is False
    assert made.variables()["TIDEGATE_CORS_ORIGINS"] == "https://www.example.com"


def test_nothing_is_kept_of_a_stack_that_is_to_go(tmp_path):
    made = Letters(tmp_path, keeping=Keeping(data=False))
    (table,) = made.of("AWS::DynamoDB::Table").values()
    assert (table["DeletionPolicy"], table["Properties"]["DeletionProtectionEnabled"]) == ("Delete", False)
    assert {of["DeletionPolicy"] for of in made.of("AWS::Logs::LogGroup").values()} == {"Delete"}


def _table(stack, actions):
    key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    return {"tables": [ApplicationTable(dynamodb.Table(stack, "T", partition_key=key), actions)]}


WRONG = {
    "name is 'Letters_prod'": lambda _: {"name": "Letters_prod"},
    "write lower-case letters, digits and single hyphens": lambda _: {"name": "x" * 41},
    "environment has TIDEGATE_TABLE": lambda _: {"environment": {"TIDEGATE_TABLE": "own"}},
    "must start with redis:// or rediss://": lambda _: {"cache": ExistingRedis("cache:6379")},
    "least_data_gb=9: write 1 to 5": lambda _: {"cache": CacheLimits(least_data_gb=9)},
    "timeout_s=30: write 1 to 29": lambda _: {"sizing": Sizing(timeout_s=30)},
    "takes no weights: release with strategy=all-at-once": lambda _: {"sizing": Sizing(provisioned=1)},
    "a worker with timeout_s=901": lambda _: {"queue": Queue("app.worker", timeout_s=901)},
    "a worker with concurrency=1": lambda _: {"queue": Queue("app.worker", concurrency=1)},
    "a throttle for '/letters/PSOT'": lambda _: {"rates": Rates(methods={"/letters/PSOT": Throttle(1, 1)})},
    "a throttle for /letters, which isn't below /v1": lambda _: {
        "paths": Paths("/v1"),
        "rates": Rates(methods={"/letters/POST": Throttle(1, 1)}),
    },
    "base='v1/'": lambda _: {"paths": Paths("v1/")},
    "health='/v1/health' below base='/v1'": lambda _: {"paths": Paths("/v1", health="/v1/health")},
    "firewall is 'arn:own'": lambda _: {"edge": Edge(firewall="arn:own")},
    "has one authorizer": lambda _: {
        "edge": Edge(user_pools=("arn:aws:cognito-idp:eu-central-1:111122223333:userpool/x",), iam=True)
    },
    "a table's actions have 'dynamodb:\\*'": lambda stack: _table(stack, ["dynamodb:*"]),
    "a table's actions have 's3:GetObject'": lambda stack: _table(stack, ["s3:GetObject"]),
}


@pytest.mark.parametrize("said", sorted(WRONG))
def test_an_argument_that_is_wrong_is_named_at_once(said):
    with pytest.raises(SettingError, match=said):
        LettersStack(App(), made=WRONG[said])


@pytest.mark.parametrize(
    ("release", "error"),
    [
        ("fast", StrategyError),
        (Rollout(weights=(1, 2), by="codedeploy"), StrategyError),
        (Rollout(hold_s=3000), ReleaseTimeError),
    ],
)
def test_a_release_that_can_not_be_is_refused(release, error):
    with pytest.raises(error):
        LettersStack(App(), release=release)
