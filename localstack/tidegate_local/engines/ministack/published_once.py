# ruff: noqa: SLF001 - hooking two of the engine's private functions is all that this file does
"""Makes MiniStack publish no version that equals the last one, as AWS does.

"Lambda doesn't publish a version if the function's configuration and code haven't changed since the last version"
(PublishVersion), and CloudFormation then fails: "A version for this Lambda function exists". MiniStack compares
revisions, which are new after every change, also after one and its reversal: the rollback of a release and the same
sources once more. Here the last version's content is compared, and where it is equal its revision is made so, too.

The package is pinned to the version of the engine that this was written against; tests/local shows the rule.
"""

from collections.abc import Mapping
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

Record = dict[str, Any]

# What changes though nobody changed the function, and what differs between a version and its function.
_BESIDES = frozenset(
    {"FunctionArn", "LastModified", "MasterArn", "RevisionId", "SnapStart", "State", "Version"}
    | {f"State{of}" for of in ("Reason", "ReasonCode")}
    | {f"LastUpdateStatus{of}" for of in ("", "Reason", "ReasonCode")}
)


def is_equal(version: Mapping[str, Any], function: Mapping[str, Any]) -> bool:
    """Whether code and configuration of a version are those of its function now (the engine's own records)."""
    return _content(version) == _content(function)


def _content(config: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in config.items() if name not in _BESIDES and value not in ("", None, [], {})}
    return {**told, "SnapStart": (config.get("SnapStart") or {}).get("ApplyOn")}


def install() -> None:
    """Hook the engine in this process; call it once, before the engine serves."""
    publish, function_of = lambda_svc._publish_version, provisioners._lambda_version_function

    def publish_once(name: str, data: Record) -> Any:
        _align(lambda_svc._functions.get(name))
        return publish(name, data)

    def function_once(props: Record) -> Any:
        function, name = function_of(props)
        _align(function)
        return function, name

    lambda_svc._publish_version = publish_once
    provisioners._lambda_version_function = function_once


def _align(function: Record | None) -> None:
    """Have the engine see that the last version is what the function is now."""
    if not function or not function["versions"]:
        return
    last = function["versions"][max(function["versions"], key=int)]
    if is_equal(last["config"], function["config"]):
        last["function_revision"] = function["config"]["RevisionId"]
