"""Tokens of an OIDC issuer through API Gateway: the edge as it is deployed, before a function that says who calls."""

from __future__ import annotations

import json
import time
from contextlib import closing

import httpx
import jwt
import pytest
from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from cryptography.hazmat.primitives.asymmetric import ec

from infra.token_check import token_check
from tests.e2e.aws_stage import ROOT, STAGE
from tests.harness.engine_choice import ENGINE
from tests.harness.oidc_issuer import KEYS, jwk, oidc_issuer
from tests.harness.waiting import eventually
from tidegate import Settings
from tidegate.identity.caller import Identifier
from tidegate_build.assets import Workspace
from tidegate_cdk.api.edge import Edge
from tidegate_cdk.api.gateway import STAGE_NAME, Front, Gateway
from tidegate_cdk.api.paths import Paths
from tidegate_cdk.project.tokens import Tokens
from tidegate_local import cloud
from tidegate_local.engines.embedded import Embedded
from tidegate_local.engines.engine import PROCESS
from tidegate_local.layout import StateFolder
from tidegate_local.registry import ProcessRegistry

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(ENGINE != "embedded", reason="the other engines ask no authorizer, or need Docker"),
]
NAME = "Tokens"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
SAYS_WHO_CALLS = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event["requestContext"].get("authorizer"))}
"""


@pytest.fixture
def _a_redis_that_is_up():
    """In place of the other tests' cloud: nothing here has a store."""


@pytest.fixture(scope="module")
def issuer():
    with oidc_issuer() as running:
        running.keys = [jwk(KEY, "one")]
        yield running


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = StateFolder(tmp_path_factory.mktemp("engine"))
    registry = ProcessRegistry(folder.processes_file)
    try:
        yield Embedded().ensure(folder, registry).url
    finally:
        registry.stop(PROCESS)


@pytest.fixture(scope="module")
def api(issuer, engine, tmp_path_factory):
    """`api(path, token)`: a request with the key of a plan, and with the token unless it is None."""
    outputs = deployed(engine, issuer.url, tmp_path_factory.mktemp("assembly"))
    with closing(cloud.client("apigateway", engine)) as keys:
        key = keys.get_api_key(apiKey=outputs["Key"], includeValue=True)["value"]
    address = f"{engine}/restapis/{outputs['Api']}/{STAGE_NAME}/_user_request_"
    with httpx.Client(timeout=60, headers={"x-api-key": key}) as http:
        yield lambda path, token=None: http.get(
            address + path, headers={} if token is None else {"authorization": f"Bearer {token}"}
        )


def deployed(engine, issuer, folder):
    """Create the stack and return its outputs."""
    tokens = Tokens("https://login.shop.example", ("shop",))
    app = App(context=json.loads((ROOT / "cdk.json").read_text())["context"], outdir=str(folder))
    stack = Stack(app, NAME)
    says = lambda_.Function(
        stack,
        "SaysWhoCalls",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(SAYS_WHO_CALLS),
    )
    live = lambda_.Alias(stack, "Live", alias_name="live", version=says.current_version)
    check = token_check(stack, stage=STAGE, tokens=tokens, workspace=Workspace.at(ROOT))
    edge = Edge(firewall=None, access_logs=False, authorizer=check)
    front = Front("tokens", Paths("/v1"), edge, STAGE.rates)
    gateway = Gateway(stack, "Gateway", front=front, target=live, keeping=STAGE.keeping)
    CfnOutput(stack, "Api", value=gateway.api.rest_api_id)
    CfnOutput(stack, "Key", value=gateway.keys["internal"].key_id)
    template = app.synth().get_stack_by_name(NAME).template
    # On AWS an issuer without https is refused at synthesis.
    told = json.dumps({"Resources": template["Resources"], "Outputs": template["Outputs"]})
    told = told.replace(tokens.issuer, issuer)
    with closing(cloud.client("s3", engine)) as s3:
        for file in json.loads((folder / f"{NAME}.assets.json").read_text())["files"].values():
            ((place,), source) = file["destinations"].values(), folder / file["source"]["path"]
            bucket = place["bucketName"].replace("${AWS::AccountId}", "000000000000")
            bucket = bucket.replace("${AWS::Region}", "us-east-1")
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key=place["objectKey"], Body=source.read_bytes())
        s3.put_object(Bucket=bucket, Key="told.json", Body=told.encode())
    with closing(cloud.client("cloudformation", engine)) as stacks:
        stacks.create_stack(StackName=NAME, TemplateURL=f"{engine}/{bucket}/told.json", Capabilities=["CAPABILITY_IAM"])
        described = lambda: stacks.describe_stacks(StackName=NAME)["Stacks"][0]  # noqa: E731  # read below, too
        eventually(lambda: not described()["StackStatus"].endswith("IN_PROGRESS"), within_s=120, every_s=0.2)
        assert described()["StackStatus"] == "CREATE_COMPLETE", stacks.describe_stack_events(StackName=NAME)
        return {output["OutputKey"]: output["OutputValue"] for output in described()["Outputs"]}


def token(issuer, key=KEY, name="one", **claims):
    said = {"sub": "ann", "iss": issuer.url, "aud": "shop", "exp": int(time.time()) + 600, **claims}
    return jwt.encode(said, key, "ES256", headers={"kid": name})


def test_whoever_has_a_token_is_known_to_the_library(api, issuer):
    answer = api("/v1/orders/7", token(issuer, org_id="acme", tier="pro"))
    assert answer.status_code == 200, answer.text
    event = {"requestContext": {"authorizer": answer.json()}}
    caller = Identifier(Settings(memory_only=True))({"type": "http", "headers": [], "aws.event": event})
    assert (caller.principal, caller.organisation, caller.tier) == (f"user:{issuer.url}:ann", "acme", "pro")


def test_one_answer_is_good_for_a_token_s_other_requests(api, issuer):
    kept = token(issuer, sub="bob")
    assert api("/v1/products", kept).json()["principalId"] == f"{issuer.url}:bob"
    assert api("/v1/reports/sales", kept).json()["principalId"] == f"{issuer.url}:bob"
    assert issuer.asked.count(KEYS) == 1


def test_others_get_401_as_a_problem_and_health_is_open(api, issuer):
    bad = [None, "no-token", token(issuer, exp=1), token(issuer, aud="bank"), token(issuer, OTHER)]
    for answer in [api("/v1/products", each) for each in bad]:
        assert (answer.status_code, answer.json()["title"]) == (401, "Unauthorized")
        assert answer.headers["content-type"] == "application/problem+json"
    assert api("/health/live").status_code == 200
