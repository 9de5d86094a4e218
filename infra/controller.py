"""The controller of releases as it ships: its own code and its own pinned packages, apart from what it judges.

Nothing that a release changes is in it: neither the library, nor the layers, nor uv.lock.
"""

from infra.pinned import UNREAD, whole
from tidegate_build.assets import Asset, Workspace
from tidegate_build.packages import Slimming
from tidegate_build.targets import Target

NAME = "rollout"
# What of its packages ships.
SLIMMING = Slimming(
    drop=(*UNREAD, "boto3/examples/**/*", "botocore/data/*/*/examples-1.json"),
    sourceless=("boto3", "botocore", "dateutil", "jmespath", "redis", "s3transfer", "urllib3"),
    services={
        "botocore/data": frozenset({"cloudwatch", "codedeploy", "dynamodb", "lambda", "stepfunctions", "sts"}),
        "boto3/data": frozenset({"dynamodb"}),
    },
)


def controller(workspace: Workspace, target: Target) -> Asset:
    """Build the archive; raises BuildError if uv is missing, or fails to get a pinned wheel."""
    return whole(workspace, target, NAME, "controller-packages", SLIMMING)
