"""A function as it is released, and what its new version is asked before any client reaches it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnResource, RemovalPolicy
from aws_cdk import aws_lambda as lambda_

from tidegate_cdk.setting_error import SettingError


@dataclass(frozen=True)
class Smoke:
    """An event that a new version gets by its number, or the path of a GET.

    `status` None: any answer to the event does that is no error, and to the GET 200.
    """

    event: Any
    status: int | None = None


# A path is asked as API Gateway's REST APIs ask for it by GET, and is expected to be answered by 200.
Question = str | Mapping[str, Any] | Smoke


@dataclass(frozen=True)
class ReleasedFunction:
    """A function with a smoke test of its own, instead of the release's."""

    function: lambda_.Function | lambda_.Alias
    smoke: Sequence[Question] = ()


def written(smoke: Sequence[Question]) -> str:
    """Write a smoke test down, as functions/rollout/order.py reads it."""
    if isinstance(smoke, str):
        raise SettingError(f"smoke is {smoke!r}: write a list, such as [{smoke!r}]")
    questions = [_check(question) for question in smoke]
    try:
        return json.dumps(questions, allow_nan=False)  # Lambda takes no NaN, which Python would write
    except (TypeError, ValueError) as error:
        raise SettingError(f"smoke has what is no JSON ({error}): write texts, numbers, lists and mappings") from error


def _check(question: Question) -> dict[str, Any]:
    if isinstance(question, str):
        return _get(question, 200)
    if isinstance(question, Smoke):
        event, status = question.event, question.status
        if status is not None and not isinstance(status, int):
            raise SettingError(f"smoke has status={status!r}: write a number, such as 404")
        return _get(event, status or 200) if isinstance(event, str) else {"event": event, "status": status}
    if not isinstance(question, Mapping):
        raise SettingError(f"smoke has {question!r}: write a path, a mapping such as {{'ping': True}}, or Smoke(event)")
    return {"event": dict(question)}


def _get(path: str, status: int) -> dict[str, Any]:
    if not path.startswith("/"):
        raise SettingError(f"smoke has {path!r}: a path begins with a slash, such as /health")
    return {"path": path, "status": status}


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
