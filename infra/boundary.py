"""The permission boundary: the most that a deploy from GitHub can do, and that any role which it makes can do."""

import re
from collections.abc import Mapping

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam

from tidegate_cdk.setting_error import SettingError

_POLICY = re.compile(r"[\w+=,.@-]{1,128}")

# The services that the stacks are made of, and that their functions call.
_SERVICES = (
    "acm",
    "apigateway",
    "application-autoscaling",
    "backup",
    "budgets",
    "cloudformation",
    "cloudwatch",
    "codedeploy",
    "cognito-idp",
    "dynamodb",
    "ec2",
    "elasticache",
    "kms",
    "lambda",
    "logs",
    "s3",
    "servicequotas",
    "sns",
    "sqs",
    "ssm",
    "states",
    "tag",
    "wafv2",
    "xray",
)
# Roles and their policies are made by CloudFormation; users, keys, groups and providers never.
_ROLE_READING = ("iam:GetPolicy*", "iam:GetRole*", "iam:ListAttachedRolePolicies", "iam:ListRole*")
_ROLE_BINDING = ("iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy")
_ROLE_UNDOING = (
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)
_LOOSENING = (
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:SetDefaultPolicyVersion",
)


def bind(stack: Stack, policy: object) -> None:
    """Put every role of a stack within a policy of the account's, by its name; None: within none.

    Raises:
        SettingError: it can't be a policy's name.
    """
    if policy is None:
        return
    if not _POLICY.fullmatch(str(policy)):
        raise SettingError(
            f"permissions_boundary is {policy!r}: use the name of a managed policy of the account, such as "
            "-c permissions_boundary=Tidegate-boundary"
        )
    boundary = iam.ManagedPolicy.from_managed_policy_name(stack, "PermissionsBoundary", str(policy))
    iam.PermissionsBoundary.of(stack).apply(boundary)


def boundary_name(prefix: str) -> str:
    """Return the policy's name, by the beginning of the stacks' names."""
    return f"{prefix}-boundary"


def boundary_statements(prefix: str) -> list[iam.PolicyStatement]:
    """Return the statements of the boundary.

    Args:
        prefix: how the stacks' names begin; the roles of its pipeline a deploy mustn't change.
    """
    mine = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}"
    boundary = f"{mine}:policy/{boundary_name(prefix)}"
    deploying = [f"{mine}:role/{prefix}-pipeline-*", f"{mine}:role/cdk-*"]
    bound = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    allow, deny = iam.Effect.ALLOW, iam.Effect.DENY
    return [
        _statement(allow, [f"{service}:*" for service in _SERVICES], ["*"]),
        _statement(allow, list(_ROLE_READING), ["*"]),
        # Not every role of the account that trusts the account.
        _statement(allow, ["sts:AssumeRole"], [f"{mine}:role/cdk-*"]),
        _statement(allow, ["sts:GetCallerIdentity", "sts:TagSession"], ["*"]),
        # A role without this boundary could do what its maker can't.
        _statement(allow, list(_ROLE_BINDING), [f"{mine}:role/*"], bound),
        _statement(allow, list(_ROLE_UNDOING), [f"{mine}:role/*"]),
        _statement(
            allow,
            ["iam:PassRole"],
            [f"{mine}:role/{prefix}-*", f"{mine}:role/cdk-*-cfn-exec-role-*"],
        ),
        _statement(
            allow,
            ["iam:CreateServiceLinkedRole"],
            [f"{mine}:role/aws-service-role/*"],
        ),
        _statement(deny, ["iam:DeleteRolePermissionsBoundary"], ["*"]),
        _statement(deny, list(_LOOSENING), [boundary]),
        _statement(
            deny,
            [*_ROLE_BINDING, *_ROLE_UNDOING],
            deploying,
        ),
        _statement(
            deny,
            ["cloudformation:DeleteStack", "cloudformation:UpdateStack", "cloudformation:UpdateTerminationProtection"],
            [f"arn:{Aws.PARTITION}:cloudformation:{Aws.REGION}:{Aws.ACCOUNT_ID}:stack/{prefix}-pipeline/*"],
        ),
    ]


def _statement(
    effect: iam.Effect, actions: list[str], resources: list[str], conditions: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(effect=effect, actions=actions, resources=resources, conditions=conditions)
