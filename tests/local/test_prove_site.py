"""The throwaway environment: nobody else's is deployed to, and what is deployed is what the tests are told of.

CDK's commands are a double: what they do to an account can't be had here. The account is moto's.
"""

import json

import boto3
import pytest
from moto import mock_aws

from tidegate_local.errors import ProofError
from tidegate_local.prove import aws_site
from tidegate_local.prove.aws_site import AwsSite

STACK = "Tidegate-aws-prove1"


@pytest.fixture
def account(monkeypatch):
    monkeypatch.setattr(aws_site, "doctor", lambda _environ, *words: f"doctor {' '.join(words)}")
    monkeypatch.setattr(aws_site, "await_ready", lambda _state, _path, _within_s: None)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


class Site(AwsSite):
    """Its CDK commands are noted, and answer as the account would have it."""

    def __init__(self, folder, listed=STACK, outputs=None):
        super().__init__(folder, "prove1")
        self.listed, self.outputs, self.commands = listed, outputs, []

    def _cdk(self, *words):
        self.commands.append(words)
        if words[0] == "list":
            return f"{self.listed}\n"
        with open(words[words.index("--outputs-file") + 1], "w") as file:  # noqa: PTH123 - as a program does
            json.dump({STACK: self.outputs}, file)
        return ""


def made(account):
    """The outputs of a stack whose API, key and table are there."""
    gateway = account("apigateway")
    api = gateway.create_rest_api(name="tidegate-aws-prove1")["id"]
    key = gateway.create_api_key(name="tidegate-aws-prove1-internal", enabled=True)
    account("dynamodb").create_table(
        TableName="products",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    url = f"https://{api}.execute-api.us-east-1.amazonaws.com/api/"
    return {"ApiId": api, "ApiUrl": url, "InternalKeyId": key["id"], "ProductsTable": "products"}, key["value"]


def test_the_preflight_asks_for_this_environment_alone(account, tmp_path):
    site = Site(tmp_path)
    assert site.preflight() == f"doctor --stage aws-prove1; {STACK} is nobody's yet"
    assert site.commands == [("list", "-c", "stage=aws", "-c", "env=prove1")]


@pytest.mark.parametrize("listed", ["Tidegate-aws", f"{STACK}\nTidegate-aws", ""])
def test_a_deploy_that_would_go_elsewhere_is_refused(account, tmp_path, listed):
    with pytest.raises(ProofError, match="another environment"):
        Site(tmp_path, listed).preflight()


def test_an_environment_that_is_there_is_refused_and_left_alone(account, tmp_path):
    queue = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    account("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(queue))
    site = Site(tmp_path)
    with pytest.raises(ProofError, match="is there already"):
        site.preflight()
    assert site.destroy() == "nothing was deployed"
    assert account("cloudformation").describe_stacks(StackName=STACK)["Stacks"]


def test_what_is_deployed_is_what_the_tests_are_told_of(account, tmp_path):
    outputs, key = made(account)
    site = Site(tmp_path, outputs=outputs)
    assert STACK in site.deploy()
    assert site.state.api_url == outputs["ApiUrl"].rstrip("/")
    assert site.state.key("internal") == key
    assert account("dynamodb").scan(TableName="products")["Count"] > 0
    assert site.about()["account"] == "123456789012"


def test_before_the_deploy_there_is_nothing_to_ask(tmp_path):
    with pytest.raises(ProofError, match="isn't deployed"):
        _ = AwsSite(tmp_path, "prove1").state
