# ruff: noqa: SLF001 - hooking two of the engine's private functions is all that this file does
"""Makes MiniStack split an alias's traffic by its weights, as AWS does.

MiniStack 1.5.33 stores the AdditionalVersionWeights of an alias (from the API and from CloudFormation) and
shows them again, but always runs the alias's FunctionVersion. An alias is resolved to a version in two places:

- `lambda_svc._effective_func_record_for_qualifier`, on the way of every event from inside the engine (API
  Gateway's `_call_lambda_raw`, Step Functions, SQS and the other event sources), and
- `lambda_svc._invoke`, the Invoke API, which reads the alias by itself.

Each is called once per invocation, before anything runs. So it suffices to draw the version there and to hand
the drawn number on instead of the alias's name: the code that runs, the worker's pool, its log stream,
AWS_LAMBDA_FUNCTION_VERSION and the X-Amz-Executed-Version header all follow from that one draw. GetFunction and
GetFunctionConfiguration use the first function too; they go on showing the alias's FunctionVersion.

The package is pinned to the version of the engine that this was written against; tests/local shows that it
splits, through both ways.
"""

import random
from contextvars import ContextVar
from typing import Any

from ministack.services import lambda_svc

Record = dict[str, Any]

# The function and the alias by which an invocation was asked for, where it was one (version_metrics.py reads it).
invoked_by: ContextVar[tuple[str, str] | None] = ContextVar("invoked_by", default=None)


def drawn_version(function: Record | None, qualifier: str | None) -> str | None:
    """Return the version that one invocation of an alias runs; any other qualifier comes back as it is.

    `function` is the engine's record: {"aliases": {name: {"FunctionVersion", "RoutingConfig"}}, ...}.
    """
    alias = (function or {}).get("aliases", {}).get(qualifier)
    if not alias:
        return qualifier
    draw = random.random()  # noqa: S311 - it splits traffic, it guards nothing
    for version, weight in (alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}).items():
        draw -= float(weight)
        if draw < 0:
            return str(version)
    return str(alias["FunctionVersion"])


def _note(function: Record | None, qualifier: str | None) -> None:
    """Note the alias of the invocation that this context is about to run; nothing for any other qualifier."""
    named = function is not None and qualifier in function.get("aliases", {})
    invoked_by.set((str(function["config"]["FunctionName"]), str(qualifier)) if function and named else None)


def install() -> None:
    """Hook the engine in this process; call it once, before the engine serves."""
    resolve, invoke = lambda_svc._effective_func_record_for_qualifier, lambda_svc._invoke

    def resolve_weighted(function: Record | None, qualifier: str | None) -> Any:
        _note(function, qualifier)
        return resolve(function, drawn_version(function, qualifier))

    async def invoke_weighted(
        name: str, event: Any, headers: Record, path_qualifier: str | None = None, query: Record | None = None
    ) -> Any:
        first = lambda_svc._qp_first
        asked = path_qualifier or first(query or {}, "Qualifier") or first(headers, "x-amz-qualifier") or None
        function = lambda_svc._functions.get(name)
        _note(function, asked)
        version = drawn_version(function, asked)
        return await invoke(name, event, headers, version, query)

    lambda_svc._effective_func_record_for_qualifier = resolve_weighted
    lambda_svc._invoke = invoke_weighted
    for reader in ("_get_function", "_get_function_config"):
        setattr(lambda_svc, reader, _of_main_version(getattr(lambda_svc, reader)))


def _of_main_version(read: Any) -> Any:
    def read_main(name: str, qualifier: str | None = None) -> Any:
        alias = lambda_svc._functions.get(name, {}).get("aliases", {}).get(qualifier)
        return read(name, alias["FunctionVersion"] if alias else qualifier)

    return read_main
