"""Circles: an alias waits for the release of its function, so that nothing of the release may refer to the alias.

CloudFormation finds a circle when the change set is made, and names every resource of it but not the way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import jsii
from aws_cdk import CfnResource, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct, IValidation

_SUBSTITUTED = re.compile(r"\$\{([A-Za-z0-9]+)")


@jsii.implements(IValidation)
class NothingWaitsForItself:
    """What a release needs, its functions and what they refer to, is looked at when all is made."""

    def __init__(self, needed: Sequence[IConstruct], aliases: Sequence[lambda_.Alias]) -> None:
        self._needed = needed
        self._aliases = aliases

    def validate(self) -> list[str]:
        """Say which construct refers to an alias that waits for it; nothing if none does."""
        stack = Stack.of(self._aliases[0])
        paths = _Paths(stack)
        moved = {_id(stack, one) for alias in self._aliases if (one := _resource(alias))}
        found = (paths.between(start, moved) for one in self._needed if (start := _resource(one)))
        return [_said(path) for path in found if path]


class _Paths:
    """The references and dependencies of a stack's resources, by their logical ids."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        resources = (one for one in stack.node.find_all() if isinstance(one, CfnResource))
        self._of = {_id(stack, one): one for one in resources if Stack.of(one).node.path == stack.node.path}
        self._next = dict[str, tuple[str, ...]]()

    def between(self, start: CfnResource, ends: set[str]) -> tuple[CfnResource, ...]:
        """Return the shortest way from a resource of the stack to one of these, both included; empty: there is none."""
        ways = [[name] for name in (_id(self._stack, start),) if name in self._of]
        seen = {name for way in ways for name in way}
        for way in ways:
            if way[-1] in ends:
                return tuple(self._of[name] for name in way)
            following = [name for name in self._following(way[-1]) if name not in seen]
            seen.update(following)
            ways += [[*way, name] for name in following]
        return ()

    def _following(self, name: str) -> tuple[str, ...]:
        if name not in self._next:
            resource = self._of[name]
            written = self._stack.resolve(resource._cfn_properties)  # noqa: SLF001 - CDK's own, for subclasses
            after = [_id(self._stack, one) for one in resource.obtain_dependencies() if isinstance(one, CfnResource)]
            self._next[name] = tuple(dict.fromkeys(one for one in (*_named(written), *after) if one in self._of))
        return self._next[name]


def _id(stack: Stack, resource: CfnResource) -> str:
    """Return a logical id as the template has it: a version's and a deployment's are known when all is made."""
    return str(stack.resolve(resource.logical_id))


def _named(written: Any) -> Iterator[str]:
    """Yield the logical ids that a part of a template refers to."""
    if isinstance(written, dict):
        for key, value in written.items():
            if key == "Ref":
                yield str(value)
            elif key == "Fn::GetAtt":
                yield value.partition(".")[0] if isinstance(value, str) else str(value[0])
            elif key == "Fn::Sub":
                yield from _SUBSTITUTED.findall(value if isinstance(value, str) else value[0])
            yield from _named(value)
    elif isinstance(written, list):
        for one in written:
            yield from _named(one)


def _resource(construct: IConstruct) -> CfnResource | None:
    child = construct.node.default_child
    return child if isinstance(child, CfnResource) else None


def _said(path: Sequence[CfnResource]) -> str:
    first, *between, alias = [one.node.path.removesuffix("/Resource") for one in path]
    by_way = f", by way of {' and '.join(between)}," if between else ""
    return (
        f"{first} refers{by_way} to {alias}, which waits until {first} is released: leave the reference out. What "
        'calls an alias takes f"{function.function_arn}:live" and function.grant_invoke(…); a function finds its own '
        "name in AWS_LAMBDA_FUNCTION_NAME and its own URL in the request"
    )
