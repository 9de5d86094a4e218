"""Who may deploy from GitHub: a job of one environment of one repository, and never more than the boundary."""

import fnmatch
import json

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from infra.boundary import bind, boundary_name
from infra.pipeline import HOST, PREFIX, STACK, PipelineStack, Trusted
from tidegate_cdk.setting_error import SettingError

ACCOUNT = "111122223333"


def resolved(value):
    """A template's text, with an account, a region and a partition in their references' places."""
    known = {"AWS::Partition": "aws", "AWS::AccountId": ACCOUNT, "AWS::Region": "eu-west-1"}
    if isinstance(value, dict):
        if "Fn::Join" in value:
            return "".join(map(resolved, value["Fn::Join"][1]))
        if "Ref" in value:
            return known.get(value["Ref"], value["Ref"])
        return {key: resolved(each) for key, each in value.items()}
    return [resolved(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def template():
    stack = PipelineStack(App(), STACK, trusted=Trusted.of("acme/shop"))
    return resolved(Template.from_stack(stack).to_json())


def of(template, kind):
    return [made["Properties"] for made in template["Resources"].values() if made["Type"] == kind]


def roles(template):
    return {role["Description"].split()[1]: role for role in of(template, "AWS::IAM::Role")}


def statements(template):
    return [each for policy in of(template, "AWS::IAM::Policy") for each in policy["PolicyDocument"]["Statement"]]


def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def boundary(template):
    (policy,) = of(template, "AWS::IAM::ManagedPolicy")
    return policy["PolicyDocument"]["Statement"]


def allowed(boundary, action, resource, **context):
    """Whether the boundary lets this pass: an explicit refusal wins, and without a word nothing passes."""

    def applies(statement):
        equal = statement.get("Condition", {}).get("StringEquals", {})
        return (
            any(fnmatch.fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
            and any(fnmatch.fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
            and all(context.get(key.partition(":")[2]) == value for key, value in equal.items())
        )

    effects = {statement["Effect"] for statement in boundary if applies(statement)}
    return "Deny" not in effects and "Allow" in effects


def test_a_role_is_taken_by_its_environment_of_its_repository_alone(template):
    assert set(roles(template)) == {"staging", "production"}
    for environment, role in roles(template).items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert trust["Condition"] == {
            "StringEquals": {
                f"{HOST}:aud": "sts.amazonaws.com",
                f"{HOST}:sub": f"repo:acme/shop:environment:{environment}",
            }
        }
        assert set(trust["Principal"]) == {"Federated"}


def test_every_role_is_within_the_boundary(template):
    assert all(role["PermissionsBoundary"] for role in of(template, "AWS::IAM::Role"))


def test_a_role_reaches_no_other_environment(template):
    writing = [each for each in statements(template) if listed(each["Resource"]) == ["*"]]
    for statement in writing:
        verbs = {action.partition(":")[2] for action in listed(statement["Action"])}
        assert all(verb.startswith(("Get", "List", "Describe")) for verb in verbs), verbs
    for policy in of(template, "AWS::IAM::Policy"):
        text = json.dumps(policy)
        assert (f"{PREFIX}-aws-staging" in text) != (f"{PREFIX}-aws-production" in text)
        assert '"*:*"' not in text


def test_a_deploy_takes_the_bootstrap_s_roles_but_cloudformations(template):
    taken = [listed(each["Resource"]) for each in statements(template) if each["Action"] == "sts:AssumeRole"]
    assert len(taken) == 2
    assert all("cfn-exec" not in role and ACCOUNT in role for role in taken[0])


def test_the_provider_is_made_or_taken_over(template):
    (made,) = of(template, "AWS::IAM::OIDCProvider")
    assert (made["Url"], made["ClientIdList"]) == (f"https://{HOST}", ["sts.amazonaws.com"])
    there = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
    stack = PipelineStack(App(), STACK, trusted=Trusted.of("acme/shop", "staging", there))
    other = Template.from_stack(stack).to_json()
    assert of(other, "AWS::IAM::OIDCProvider") == []
    (role,) = of(other, "AWS::IAM::Role")
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Federated": there}


def test_the_stack_needs_no_bootstrap(template):
    assert "Parameters" not in template
    assert len(json.dumps(template)) < 51_200, "CloudFormation takes no longer template without a bucket"


BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/{boundary_name(PREFIX)}"
FUNCTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-aws-staging-apiRole"
PIPELINE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-pipeline-StagingDeploy"


@pytest.mark.parametrize(
    ("action", "resource", "context", "passes"),
    [
        ("dynamodb:CreateTable", "arn:any", {}, True),
        ("iam:CreateRole", FUNCTION_ROLE, {"PermissionsBoundary": BOUNDARY_ARN}, True),
        ("iam:CreateRole", FUNCTION_ROLE, {}, False),
        (
            "iam:CreateRole",
            FUNCTION_ROLE,
            {"PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
            False,
        ),
        ("iam:AttachRolePolicy", FUNCTION_ROLE, {}, False),
        ("iam:DeleteRolePermissionsBoundary", FUNCTION_ROLE, {}, False),
        ("iam:PassRole", FUNCTION_ROLE, {}, True),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/Admin", {}, False),
        ("iam:UpdateAssumeRolePolicy", PIPELINE_ROLE, {}, False),
        ("iam:PutRolePolicy", PIPELINE_ROLE, {"PermissionsBoundary": BOUNDARY_ARN}, False),
        ("iam:CreatePolicyVersion", BOUNDARY_ARN, {}, False),
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/me", {}, False),
        ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/me", {}, False),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/Admin", {}, False),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-deploy-role", {}, True),
        ("organizations:LeaveOrganization", "*", {}, False),
        ("cloudformation:DeleteStack", f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/{STACK}/1", {}, False),
    ],
)
def test_the_boundary_lets_no_one_out_of_it(boundary, action, resource, context, passes):
    assert allowed(boundary, action, resource, **context) is passes


@pytest.mark.parametrize("policy", ["arn:aws:iam::1:policy/x", "", "two words"])
def test_a_boundary_is_named_not_located(policy):
    with pytest.raises(SettingError, match="permissions_boundary is"):
        bind(Stack(App(), "Bound"), policy)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ((None,), "repository=OWNER/NAME"),
        (("acme",), "repository=OWNER/NAME"),
        (("acme/*",), "repository=OWNER/NAME"),
        (("acme/shop:ref:refs/heads/x",), "repository=OWNER/NAME"),
        (("acme/shop", "staging,*"), "environments="),
        (("acme/shop", None, "arn:aws:iam::1:oidc-provider/elsewhere"), "provider="),
    ],
)
def test_whom_to_trust_must_be_said_exactly(told, why):
    with pytest.raises(SettingError, match=why):
        Trusted.of(*told)
