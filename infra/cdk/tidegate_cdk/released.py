"""A function as it is released, and what its new version is asked before any client reaches it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnResource, RemovalPolicy
from aws_cdk import aws_lambda as lambda_


@dataclass(frozen=True)
class Smoke:
    """An event that a new version gets by its number; `status` None: any answer does that is no error."""

    event: Any
    status: int | None = None


@dataclass(frozen=True)
class Get:
    """A GET of a path, as API Gateway's REST APIs send it, and the status of its answer."""

    path: str
    status: int = 200

    def __post_init__(self) -> None:
        """Refuse what is no path."""
        if not self.path.startswith("/"):
            raise ValueError(f"smoke has {self.path!r}: a path begins with a slash")


# A path alone is a Get, a mapping alone an event of which any answer does.
Question = str | Get | Mapping[str, Any] | Smoke


@dataclass(frozen=True)
class ReleasedFunction:
    """A function with a smoke test of its own, instead of the release's."""

    function: lambda_.Function | lambda_.Alias
    smoke: Sequence[Question] = ()


def written(smoke: Sequence[Question]) -> str:
    """Write a smoke test down, as functions/rollout/order.py reads it."""
    return json.dumps([_check(question) for question in smoke])


def _check(question: Question) -> dict[str, Any]:
    if isinstance(question, str):
        question = Get(question)
    if isinstance(question, Get):
        return {"path": question.path, "status": question.status}
    if isinstance(question, Smoke):
        return {"event": question.event, "status": question.status}
    return {"event": dict(question)}


def published(function: lambda_.Function | lambda_.Alias) -> lambda_.IVersion:
    """Return the version that is to be put in force; it outlives its replacement, so that the alias can return to it.

    One whose release fails goes: Lambda publishes nothing that equals the last version that is there, and the same
    sources couldn't be released again.
    """
    version = function.version if isinstance(function, lambda_.Alias) else function.current_version
    resource = version.node.default_child
    if isinstance(resource, CfnResource):
        resource.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
    return version
