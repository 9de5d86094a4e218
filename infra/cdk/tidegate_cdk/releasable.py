"""What can be released: functions and aliases of the release's own stack, which nothing else moves.

What can't be is refused at synthesis. CloudFormation would find it in the middle of a deploy, or never.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import jsii
from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IConstruct, IValidation

from tidegate_cdk.known import matches
from tidegate_cdk.released import ReleasedFunction
from tidegate_cdk.setting_error import SettingError

# Lambda's rule.
_ALIAS_NAME = re.compile(r"(?!\d+$)[A-Za-z0-9_-]{1,128}")


def check(given: Sequence[ReleasedFunction], alias_name: str, scope: Construct) -> None:
    """Refuse what can't be released by this construct; raises SettingError."""
    if not matches(_ALIAS_NAME, alias_name):
        raise SettingError(
            f"alias_name is {alias_name!r}: write letters, digits, - and _, at most 128 and no number, such as live"
        )
    for one in given:
        _check_kind(one.function)
    paths = [one.function.node.path for one in given]
    if not paths or len(paths) != len(set(paths)):
        raise SettingError("functions takes at least one function, and each once")
    for one in given:
        _check_place(one.function, scope)
        if isinstance(one.function, lambda_.Alias):
            _check_alias(one.function, alias_name)


def _check_kind(function: Any) -> None:
    if not isinstance(function, lambda_.Alias) and not hasattr(function, "current_version"):
        path = function.node.path if hasattr(function, "node") else repr(function)
        raise SettingError(
            f"functions has {path}, which publishes no versions here, as what is imported does: write a "
            "lambda_.Function or a lambda_.Alias that this app makes"
        )


def _check_place(function: lambda_.Function | lambda_.Alias, scope: Construct) -> None:
    """Refuse another stack's function: an export that is in use can't change, and its version would be one."""
    of_version = function.version if isinstance(function, lambda_.Alias) else function
    for one in (function, of_version):
        if _deployed(one).node.path != _deployed(scope).node.path:
            raise SettingError(
                f"{one.node.path} is in the stack {_deployed(one).stack_name}, and CloudFormation can't hand on its "
                f"new versions: make a JudgedRelease of it there, not in {_deployed(scope).stack_name}"
            )


def _check_alias(alias: lambda_.Alias, alias_name: str) -> None:
    if alias.alias_name != alias_name:
        raise SettingError(f"{alias.node.path} isn't named {alias_name}: say alias_name, the same for all")
    if alias.version.version == "$LATEST":
        raise SettingError(
            f"{alias.node.path} is of $LATEST, which is no published version: write version=function.current_version"
        )


def _deployed(construct: IConstruct) -> Stack:
    """Return the stack that is deployed: the outermost, of nested ones."""
    stack = Stack.of(construct)
    while stack.nested_stack_parent:
        stack = stack.nested_stack_parent
    return stack


@jsii.implements(IValidation)
class AliasesAreMovedAlone:
    """Aliases may be made and changed after the release, so that they are looked at when all is made."""

    def __init__(self, aliases: Sequence[lambda_.Alias], *, weighted: bool) -> None:
        self._aliases = aliases
        self._weighted = weighted

    def validate(self) -> list[str]:
        """Say what is wrong, a sentence each; nothing if there is nothing."""
        return [said for alias in self._aliases for said in self._wrong(alias)]

    def _wrong(self, alias: lambda_.Alias) -> Iterator[str]:
        path, resource = alias.node.path, alias.node.default_child
        if not isinstance(resource, lambda_.CfnAlias):
            return
        if resource.routing_config is not None:
            yield f"{path} has weights of its own, which the release would move: leave additional_versions away"
        scaled = resource.provisioned_concurrency_config is not None or alias.node.try_find_child("AliasScaling")
        if scaled and self._weighted:
            yield (
                f"{path} has provisioned concurrency, and an alias that has it takes no weights: write "
                'strategy="all-at-once", or leave provisioned concurrency away (with snap_start, say)'
            )
        own = _named(resource)
        others = [
            other.node.path
            for other in Stack.of(alias).node.find_all()
            if isinstance(other, lambda_.CfnAlias) and other.node.path != resource.node.path and _named(other) == own
        ]
        if others:
            yield (
                f"{others[0].removesuffix('/Resource')} has the function and the name of {path}, and Lambda takes one: "
                "give that alias to functions, or say another alias_name"
            )


def _named(alias: lambda_.CfnAlias) -> str:
    """Return an alias's function and name as the template has them."""
    resolved: Any = Stack.of(alias).resolve([alias.function_name, alias.name])
    return json.dumps(resolved, sort_keys=True)
