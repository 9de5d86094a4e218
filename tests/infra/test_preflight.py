"""The account before a deploy: the stage's own template against moto, and Lambda and ElastiCache played."""

import io
import json
from functools import cache
from types import SimpleNamespace
from zipfile import ZipFile

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from tidegate_local.doctor import preflight
from tidegate_local.doctor.template_facts import TemplateFacts

pytestmark = pytest.mark.slow

REGION = "eu-central-1"
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"


def refused(code, message="no"):
    return ClientError({"Error": {"Code": code, "Message": message}}, "Asked")


class Played:
    """What moto doesn't know: Lambda's account settings and serverless caches; all else of a service is moto's."""

    def __init__(self, real, **answers):
        self._real, self._answers = real, answers

    def __getattr__(self, name):
        if name not in self._answers:
            return getattr(self._real, name)
        return lambda *_args, **_named: self._answer(self._answers[name])

    @staticmethod
    def _answer(told):
        if isinstance(told, Exception):
            raise told
        return told


@cache
def played_by_moto(service):
    """Made once: moto answers whatever its account is just then."""
    session = boto3.Session("played", "played", region_name=REGION)
    session._session.set_config_variable("ignore_configured_endpoint_urls", True)
    return session.client(service)


@pytest.fixture
def account():
    """An account of its own, bootstrapped, with AWS's quota of 1000 and nothing of the stack."""
    with mock_aws():
        made = SimpleNamespace(limit={"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}, played={})

        def client(service):
            real = played_by_moto(service)
            answers = {
                "lambda": {"get_account_settings": {"AccountLimit": made.limit}},
                "elasticache": {
                    "describe_serverless_caches": refused("ServerlessCacheNotFoundFault"),
                    "describe_user_groups": refused("UserGroupNotFound"),
                },
            }
            return Played(real, **answers.get(service, {}), **made.played.get(service, {}))

        made.client = client
        client("ssm").put_parameter(Name=BOOTSTRAP, Value="30", Type="String")
        yield made


@pytest.fixture
def found(account, both):
    def look(document=None):
        facts = TemplateFacts("Tidegate-aws", (document or both["aws"].document)["Resources"], 6)
        return {one.subject: one for one in preflight.findings(facts, REGION, account.client)}

    return look


def failures(findings):
    return {subject for subject, one in findings.items() if one.grade != "ok"}


def test_an_account_that_has_all_of_it_is_well(found):
    assert {subject: one for subject, one in found().items() if one.grade != "ok"} == {}


def test_without_bootstrap_the_command_is_said(found, account):
    account.client("ssm").delete_parameter(Name=BOOTSTRAP)
    assert "cdk bootstrap aws://123456789012/eu-central-1" in found()["bootstrap"].mend


def test_a_bootstrap_that_is_too_old_fails(found, account):
    account.client("ssm").put_parameter(Name=BOOTSTRAP, Value="5", Type="String", Overwrite=True)
    assert found()["bootstrap"].grade == "failure"


def test_a_new_account_s_quota_of_ten_fails_before_the_stack_does(found, account):
    account.limit = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    concurrency = found()["Lambda's concurrency"]
    assert concurrency.grade == "failure"
    assert "-c reserved_concurrency=none" in concurrency.mend
    assert "-c reserved_concurrency=0" not in concurrency.mend


def test_what_others_reserve_is_not_there_any_more(found, account):
    account.limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 160}
    concurrency = found()["Lambda's concurrency"]
    assert "-c reserved_concurrency=60 or -c reserved_concurrency=none" in concurrency.mend
    # What the stack holds already is its own.
    account.played["lambda"] = {"get_function_concurrency": {"ReservedConcurrentExecutions": 100}}
    assert found()["Lambda's concurrency"].grade == "ok"


def test_a_vpc_too_many_fails(found, account):
    for _ in range(5):
        account.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    assert found()["VPCs"].grade == "failure"


def a_function(account, name):
    role = account.client("iam").create_role(
        RoleName="any", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )["Role"]["Arn"]
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "")
    account.client("lambda").create_function(
        FunctionName=name, Runtime="python3.13", Role=role, Handler="index.h", Code={"ZipFile": packed.getvalue()}
    )


def test_names_that_another_stack_has_taken_are_named(found, account):
    a_function(account, "Tidegate-aws-api")
    account.client("cloudwatch").put_dashboard(DashboardName="Tidegate-aws", DashboardBody='{"widgets": []}')
    account.played["elasticache"] = {}
    names = found()["names"]
    assert names.grade == "failure"
    assert "Lambda::Function Tidegate-aws-api" in names.found
    assert "CloudWatch::Dashboard Tidegate-aws" in names.found
    assert "-c env=" in names.mend


def test_what_the_stack_has_itself_is_not_taken(found, account):
    a_function(account, "Tidegate-aws-api")
    template = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "Tidegate-aws-api"}},
        }
    }
    account.client("cloudformation").create_stack(StackName="Tidegate-aws", TemplateBody=json.dumps(template))
    assert found()["names"].grade == "ok"


def test_a_region_without_a_service_fails(found, account):
    account.played["ssm"] = {"get_paginator": SimpleNamespace(paginate=lambda **_: [{"Parameters": []}])}
    services = found()["services"]
    assert services.grade == "failure"
    assert "elasticache" in services.found


def test_what_may_not_be_asked_is_a_warning(found, account):
    denied = refused("AccessDeniedException", "not authorized to perform lambda:GetAccountSettings")
    account.limit = {}
    account.client = _with(account.client, "lambda", get_account_settings=denied)
    assert found()["Lambda's concurrency"].grade == "warning"


def test_a_service_that_is_not_in_the_region_fails(found, account):
    gone = EndpointConnectionError(endpoint_url="https://elasticache.nowhere.amazonaws.com/")
    account.client = _with(account.client, "elasticache", describe_users=gone)
    assert found()["names"].grade == "failure"


def _with(client, service, **answers):
    return lambda asked: Played(client(asked), **answers) if asked == service else client(asked)


def test_without_credentials_nothing_else_is_asked(found, account):
    account.client = _with(account.client, "sts", get_caller_identity=refused("ExpiredToken"))
    (account_finding,) = found().values()
    assert account_finding.grade == "failure"


def test_the_preflight_looks_at_every_name_that_the_template_gives(both):
    facts = TemplateFacts("Tidegate-aws", both["aws"].document["Resources"], 6)
    names = {name for _, name in facts.names()}
    cache = both["aws"].only("AWS::ElastiCache::ServerlessCache")["ServerlessCacheName"]
    assert {cache, "Tidegate-aws", "Tidegate-aws-api", "Tidegate-aws-release"} <= names
    assert facts.reserved() == {"Tidegate-aws-api": 100}
    assert facts.endpoints() >= {"dynamodb", "sqs"}
    assert facts.throttle_per_s() == 2000
