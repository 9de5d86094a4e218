"""A release around two deploys, for engines without custom resources: the aliases stay where they are in the first.

The second deploy's template is the first one's without what is done here for `former`; whoever deploys makes it
(localstack/tidegate_local/deployment/two_deploys.py), so that both are of the same sources.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import CfnResource, Fn, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_

from tidegate_cdk.api.function import LiveFunction

# The output that has the custom resource's properties, as JSON.
ORDER = "ReleaseOrder"
# In the template's metadata: by a former version's logical id that of the version which is to follow it.
FOLLOWED = "Tidegate::FollowedBy"


def hold(functions: Sequence[LiveFunction], former: Mapping[str, str]) -> None:
    """Keep each alias at the former version, whose logical id `former` has by the function's name; else it follows.

    The functions have to be complete: a version's own logical id is a digest of its function's configuration.
    """
    followed = dict[str, str]()
    for function in functions:
        version = _published(function)
        stack = Stack.of(function)
        following = str(stack.resolve(version.logical_id))
        kept = former.get(str(_resource(function.function).function_name), following)
        if kept != following:
            _keep(function, kept)
            followed[kept] = following
    if followed:
        Stack.of(functions[0]).add_metadata(FOLLOWED, followed)


def _published(function: LiveFunction) -> CfnResource:
    """Return the published version, which has its function's name without a reference.

    LocalStack replaces a version, which is to publish one more, whenever what it refers to is modified.
    """
    version: Any = function.function.current_version.node.default_child
    version.function_name = _resource(function.function).function_name
    version.node.add_dependency(_resource(function.function))
    published: CfnResource = version
    return published


def _keep(function: LiveFunction, logical_id: str) -> None:
    """Leave the former version's resource in the template, as it was, and the alias at it."""
    name = _resource(function.function).function_name
    kept = CfnResource(function, "Former", type="AWS::Lambda::Version", properties={"FunctionName": name})
    kept.override_logical_id(logical_id)
    kept.apply_removal_policy(RemovalPolicy.RETAIN)
    kept.node.add_dependency(_resource(function.function))
    alias: Any = function.alias.node.default_child
    alias.function_version = Fn.get_att(logical_id, "Version").to_string()


def _resource(function: lambda_.Function) -> lambda_.CfnFunction:
    resource: Any = function.node.default_child
    made: lambda_.CfnFunction = resource
    return made
