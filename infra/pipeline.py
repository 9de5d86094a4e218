"""Who may deploy from GitHub: an OIDC provider, a role for each environment, and the boundary of all roles.

A stack of its own, deployed once by a person: `cdk deploy --app "python -m infra.pipeline" -c repository=OWNER/NAME`.
It needs no bootstrap, since `cdk bootstrap --custom-permissions-boundary` wants the boundary to be there.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import App, Aws, CfnOutput, Duration, LegacyStackSynthesizer, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.application import WRITTEN_BY_TESTS
from infra.boundary import boundary_name, boundary_statements
from tidegate_cdk.setting_error import SettingError

HOST = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
ENVIRONMENTS = ("staging", "production")
# How the stacks' names begin, and with them those of what they make.
PREFIX = "Tidegate"
STACK = f"{PREFIX}-pipeline"
# The roles of `cdk bootstrap` that a deploy takes: not the one of CloudFormation, which only CloudFormation takes.
_BOOTSTRAP_ROLES = ("deploy", "file-publishing", "lookup")
_QUALIFIER = "hnb659fds"
_LOOKING = (
    "cloudformation:ListStackResources",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetDashboard",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeVpcEndpointServices",
    "ec2:DescribeVpcs",
    "elasticache:DescribeServerlessCaches",
    "elasticache:DescribeUserGroups",
    "elasticache:DescribeUsers",
    "lambda:GetAccountSettings",
    "lambda:GetFunction",
    "lambda:GetFunctionConcurrency",
    "lambda:ListFunctions",
    "servicequotas:GetServiceQuota",
    "ssm:GetParameter",
    "ssm:GetParametersByPath",
    "states:DescribeStateMachine",
)
# GitHub's own rules for both names; a wildcard, or a colon, would trust other repositories.
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}/[A-Za-z0-9._-]{1,100}")
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,30}")
_PROVIDER = re.compile(rf"arn:aws[a-z-]*:iam::\d{{12}}:oidc-provider/{re.escape(HOST)}")


@dataclass(frozen=True)
class Trusted:
    """Whom the roles trust: a repository's jobs in these environments.

    `provider` is the ARN of the account's provider of GitHub's tokens, of which it can have one; None makes it.
    """

    repository: str
    environments: tuple[str, ...] = ENVIRONMENTS
    provider: str | None = None

    @classmethod
    def of(cls, repository: object, environments: object = None, provider: object = None) -> "Trusted":
        """Read the values of the CDK context.

        Raises:
            SettingError: one can't be used; the message says what can.
        """
        if not _REPOSITORY.fullmatch(str(repository or "")):
            raise SettingError(f"repository is {repository!r}: use -c repository=OWNER/NAME, as GitHub spells it")
        names = tuple(str(environments).split(",")) if environments else ENVIRONMENTS
        if wrong := [name for name in names if not _ENVIRONMENT.fullmatch(name)]:
            raise SettingError(
                f"environments has {wrong[0]!r}: use -c environments=staging,production; lower-case letters, digits "
                "and hyphens, as GitHub's environments of the repository are called"
            )
        if provider and not _PROVIDER.fullmatch(str(provider)):
            raise SettingError(
                f"provider is {provider!r}: use -c provider=arn:aws:iam::ACCOUNT:oidc-provider/{HOST}, or leave it "
                "out to have it made"
            )
        return cls(str(repository), tuple(dict.fromkeys(names)), str(provider) if provider else None)

    def subject(self, environment: str) -> str:
        """Return the `sub` of a token of a job in this environment."""
        return f"repo:{self.repository}:environment:{environment}"


class PipelineStack(Stack):
    """The roles that GitHub's jobs take, each by a token of one environment of one repository."""

    def __init__(self, scope: Construct, construct_id: str, *, trusted: Trusted) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"{PREFIX}: who may deploy from GitHub",
            analytics_reporting=False,
            synthesizer=LegacyStackSynthesizer(),
            termination_protection=True,
        )
        self._trusted = trusted
        self._boundary = iam.ManagedPolicy(
            self,
            "Boundary",
            managed_policy_name=boundary_name(PREFIX),
            description="The most that a deploy from GitHub, and any role that it makes, can do",
            statements=boundary_statements(PREFIX),
        )
        self._provider = trusted.provider or self._made_provider()
        for environment in trusted.environments:
            role = self._role(environment)
            CfnOutput(self, f"{_camel(environment)}Role", value=role.role_arn)
        CfnOutput(self, "BoundaryName", value=boundary_name(PREFIX))

    def _made_provider(self) -> str:
        # Without thumbprints: IAM trusts GitHub's certificate by its own authorities.
        made = iam.CfnOIDCProvider(self, "GitHub", url=f"https://{HOST}", client_id_list=[AUDIENCE])
        return made.attr_arn

    def _role(self, environment: str) -> iam.Role:
        claims = {f"{HOST}:aud": AUDIENCE, f"{HOST}:sub": self._trusted.subject(environment)}
        role = iam.Role(
            self,
            f"{_camel(environment)}Deploy",
            assumed_by=iam.WebIdentityPrincipal(self._provider, {"StringEquals": claims}),
            description=f"Deploys {environment} from {self._trusted.repository}",
            max_session_duration=Duration.hours(2),
            permissions_boundary=self._boundary,
        )
        for statement in _deploying(f"{PREFIX}-aws-{environment}"):
            role.add_to_policy(statement)
        return role


def _deploying(stack: str) -> Sequence[iam.PolicyStatement]:
    """What a job does: deploy by the roles of the bootstrap; watch, take back and test its own environment's stack."""
    here = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
    named = f"arn:{Aws.PARTITION}:%s:{here}:%s"
    bootstrap = [
        f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/cdk-{_QUALIFIER}-{role}-role-{Aws.ACCOUNT_ID}-{Aws.REGION}"
        for role in _BOOTSTRAP_ROLES
    ]
    function = named % ("lambda", f"function:{stack}-*")
    return [
        _allow(["sts:AssumeRole"], bootstrap),
        _allow(
            [
                "cloudformation:ContinueUpdateRollback",
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStackResources",
                "cloudformation:DescribeStacks",
                "cloudformation:RollbackStack",
            ],
            [named % ("cloudformation", f"stack/{stack}/*")],
        ),
        _allow(
            ["lambda:GetAlias", "lambda:GetFunctionConfiguration", "lambda:ListVersionsByFunction"],
            [function],
        ),
        _allow(["lambda:CreateAlias", "lambda:UpdateAlias"], [function]),
        # What is released, and the wish to abort it, are items of the library's table.
        _allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], [named % ("dynamodb", f"table/{stack}-TablesTidegate*")]),
        # The tests write what they ask for.
        _allow(["dynamodb:PutItem"], [named % ("dynamodb", f"table/{stack}-Tables{WRITTEN_BY_TESTS}*")]),
        _allow(["states:DescribeExecution"], [named % ("states", "execution:*:*")]),
        # `tidegate doctor --stage aws`, which looks before a deploy: it reads what has no narrower resource.
        _allow(list(_LOOKING), ["*"]),
        # The keys by which the tests call the API.
        _allow(
            ["apigateway:GET"],
            [
                f"arn:{Aws.PARTITION}:apigateway:{Aws.REGION}::/{path}"
                for path in ("apikeys", "apikeys/*", "restapis/*")
            ],
        ),
    ]


def _allow(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=resources)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def main() -> None:
    """Compose the stack of the repository that the context names, and write the cloud assembly."""
    app = App()
    told: list[Any] = [app.node.try_get_context(name) for name in ("repository", "environments", "provider")]
    PipelineStack(app, STACK, trusted=Trusted.of(*told))
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except SettingError as error:
        sys.exit(f"tidegate: {error}")
