"""The function that says whose a token of an OIDC issuer is: outside the VPC, from which no issuer can be reached."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.pinned import UNREAD, whole
from infra.stages import Stage
from tidegate_build.assets import Asset, Workspace
from tidegate_build.packages import Slimming
from tidegate_build.targets import Target
from tidegate_cdk.api.function import Platform, Program, plain_function
from tidegate_cdk.project.layers import architecture, archived
from tidegate_cdk.project.tokens import Tokens

NAME = "authorizer"
# Longer than it waits for an issuer that doesn't answer (functions/authorizer/keys.py): a death would cost it the keys
# that it has.
_TIMEOUT_S = 10
_SLIMMING = Slimming(drop=UNREAD, sourceless=("cffi", "cryptography", "jwt", "pycparser"), services={})


def token_check_code(workspace: Workspace, target: Target) -> Asset:
    """Build the archive; raises BuildError if uv is missing, or fails to get a pinned wheel."""
    return whole(workspace, target, NAME, "authorizer-packages", _SLIMMING)


def token_check(scope: Construct, *, stage: Stage, tokens: Tokens, workspace: Workspace) -> lambda_.Function:
    """Make the function; its role may write its log, and nothing else."""
    program = Program(
        NAME,
        f"functions.{NAME}.handler.handler",
        archived(token_check_code(workspace, stage.target)),
        (),
        Duration.seconds(_TIMEOUT_S),
        {
            "TIDEGATE_ISSUER": tokens.issuer,
            "TIDEGATE_AUDIENCE": ",".join(tokens.audiences),
            "TIDEGATE_ALGORITHMS": ",".join(tokens.algorithms),
        },
    )
    platform = Platform(lambda_.Runtime.PYTHON_3_13, architecture(stage.target), stage.keeping)
    return plain_function(Construct(scope, "Authorizer"), "", platform=platform, program=program)
