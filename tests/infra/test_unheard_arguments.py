"""What ProtectedApi and its parts are told is heard, or refused: values of other constructs, too."""

import json

import pytest
from aws_cdk import App, CfnParameter, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from tidegate_cdk import (
    ApplicationTable,
    CacheLimits,
    Domain,
    Edge,
    EdgeThrottles,
    ExistingRedis,
    Firewall,
    GatewayProblems,
    Operations,
    Plan,
    ProtectedApi,
    Queue,
    Rollout,
    SettingError,
    Sizing,
    Throttle,
)

GOLD = {"gold": Plan(Throttle(5, 10))}


@pytest.fixture
def stack(tmp_path):
    return Stack(App(outdir=str(tmp_path)), "Letters")


def protected(stack, **options):
    given = {"code": "examples/without_cdk/src", "handler": "app.handler", "cache": None}
    return ProtectedApi(stack, "Api", **{**given, **options})


def template(stack):
    return stack.node.root.synth().get_stack_by_name("Letters").template


def resources(stack, kind):
    return [made["Properties"] for made in template(stack)["Resources"].values() if made["Type"] == kind]


def test_what_other_constructs_are_called_is_taken(stack):
    certificate = acm.Certificate(stack, "Certificate", domain_name="api.example.com")
    pool = cognito.UserPool(stack, "Pool")
    acl = CfnParameter(stack, "Acl").value_as_string
    edge = Edge(
        firewall=acl, domain=Domain("api.example.com", certificate.certificate_arn), user_pools=(pool.user_pool_arn,)
    )
    redis = ExistingRedis(CfnParameter(stack, "Redis").value_as_string)
    topic = sns.Topic(stack, "Topic")
    protected(stack, edge=edge, cache=redis, operations=Operations(topic_arn=topic.topic_arn))
    (domain,) = resources(stack, "AWS::ApiGateway::DomainName")
    assert "Ref" in domain["RegionalCertificateArn"]


@pytest.mark.parametrize("strategy", ["linear", "1,2,5,10,20,50"])
def test_any_strategy_has_steps_that_fit_into_the_hour(stack, strategy):
    protected(stack, release=strategy)
    (order,) = resources(stack, "Custom::TidegateRelease")
    assert len(json.loads(order["Way"])["steps"]) > 6


def test_a_service_may_have_braces(stack):
    protected(stack, service="{shop}-{function}")
    assert "{shop}-api" in json.dumps(template(stack))


def test_whoever_uses_the_queues_may_use_the_key_that_encrypts_them(stack):
    key = kms.Key(stack, "Key")
    queues = tuple(
        sqs.Queue(stack, name, fifo=True, encryption_master_key=key, visibility_timeout=Duration.minutes(6))
        for name in ("Queue", "Dead")
    )
    protected(stack, queue=Queue("app.worker", queues=queues))
    allowed = [policy for policy in resources(stack, "AWS::IAM::Policy") if "kms:GenerateDataKey*" in str(policy)]
    assert len(allowed) == 2, "the API's function and the worker"


def table(stack, name, **said):
    key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    return ApplicationTable(dynamodb.Table(stack, name, partition_key=key), ["dynamodb:GetItem"], **said)


def queues(stack, **options):
    made = [sqs.Queue(stack, name, **options) for name in ("Queue", "Dead")]
    return Queue("app.worker", queues=(made[0], made[1]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (lambda s: {"release": None, "smoke": ["/health"]}, "smoke are a release's, and release is None"),
        (lambda s: {"observability": None, "operations": Operations(budget_usd=9)}, "observability is None"),
        (lambda s: {"release": Rollout(alarms=("Nope",))}, "alarms with Nope: write some of ServerErrors, Latency"),
        (lambda s: {"binary_media_types": "image/png"}, "binary_media_types is one thing: write a list"),
        (lambda s: {"handler": "app"}, "handler is 'app': write the module and the function"),
        (lambda s: {"queue": Queue("")}, "handler is '': write the module and the function"),
        (lambda s: {"sizing": Sizing(memory_mb=64)}, "memory_mb=64: write 128 to 10240"),
        (lambda s: {"sizing": Sizing(reserved_concurrency=0)}, "reserved_concurrency=0: write 1 or more"),
        (lambda s: {"cache": CacheLimits(ecpu_per_s=10)}, "write 1 and 1000 or more"),
        (lambda s: {"edge": Edge(firewall=Firewall(per_ip_per_s=0))}, "per_ip_per_s=0: write 1 or more"),
        (lambda s: {"plans": {"gold": Plan(Throttle(-1, 0))}}, "a throttle of -1 a second and 0 at once: write 0"),
        (lambda s: {"tables": [table(s, "A", variable="A_B"), table(s, "B", variable="A_B")]}, "which is said already"),
        (lambda s: {"tables": [table(s, "A", variable="TIDEGATE_TABLE")]}, "'TIDEGATE_TABLE', which is said already"),
        (lambda s: {"tables": [table(s, "A", variable="A-B")]}, "variable='A-B': write two or more letters"),
        (lambda s: {"queue": Queue("app.worker", concurrency=2000)}, "concurrency=2000: write 2 to 1000"),
        (lambda s: {"queue": queues(s)}, "no FIFO queues"),
        (lambda s: {"queue": queues(s, fifo=True)}, r"write visibility_timeout=Duration.seconds\(360\)"),
    ],
)
def test_what_would_be_left_out_or_fail_later_is_refused(stack, options, said):
    with pytest.raises(SettingError, match=said):
        protected(stack, **options(stack))


def test_a_stack_whose_name_leaves_none_for_its_functions_is_refused(tmp_path):
    long = Stack(App(outdir=str(tmp_path)), "Letters" * 9)
    with pytest.raises(SettingError, match="write a stack_name of at most 56 letters"):
        protected(long, name="letters")


def test_plans_are_of_a_stage_that_is_deployed(stack):
    made = [
        apigateway.RestApi(stack, "Undeployed", deploy=False),
        apigateway.RestApi.from_rest_api_attributes(stack, "Imported", rest_api_id="a", root_resource_id="b"),
        apigateway.SpecRestApi(
            stack, "Spec", api_definition=apigateway.ApiDefinition.from_inline({"openapi": "3.0.1", "paths": {}})
        ),
    ]
    for api in made:
        with pytest.raises(SettingError, match="deploys no stage here that a plan could be of"):
            EdgeThrottles(stack, f"Of{api.node.id}", api=api, plans=GOLD)


@pytest.mark.parametrize(
    ("origins", "said"),
    [("https://a.example", "write a list"), (["https://a.example'x"], "write what a browser sends")],
)
def test_an_origin_that_no_browser_sends_is_refused_of_problems_too(stack, origins, said):
    api = apigateway.LambdaRestApi(stack, "Api", handler=lambda_.Function.from_function_name(stack, "F", "f"))
    with pytest.raises(SettingError, match=said):
        GatewayProblems(stack, "Problems", api=api, origins=origins)
