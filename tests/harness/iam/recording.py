"""The AWS calls of a process' functions, each evaluated against the role that the function has on the stage aws.

Which function a call is of is told by the code that makes it: a test runs any of them in its own process.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from botocore.client import BaseClient

from tests.harness.iam.calls import Resources, UnknownOperationError, uses
from tests.harness.iam.policy import Call, evaluate
from tests.harness.iam.stage_roles import DEPLOYMENTS, StageRoles

_ROOT = Path(__file__).parents[3]
_LIBRARY = "layers/tidegate/python/tidegate/"
# The way to DynamoDB, whosever the call is.
_CARRIER = f"{_LIBRARY}stores/dynamodb/client.py"
# Whoever calls from there is a person with rights of their own, or has an own table.
_OTHERS = ("localstack/", f"{_LIBRARY}powertools", "tests/benchmarks/")
_PERSONS = {(f"{_LIBRARY}limits/overrides.py", "write_overrides")}
# The judge is where the counts are.
_JUDGE = ("functions/rollout/counts", "functions/rollout/counted")
_JUDGE_STATES = {("functions/rollout/watching.py", "judge"), ("functions/rollout/states.py", "past")}
_HOOK = ("functions/rollout/codedeploy.py", "functions/rollout/hook.py")
# What only the worker asks of the queues.
_WORKER_CALLS = {(f"{_LIBRARY}overflow/queue.py", name) for name in ("put_off", "_to_dead_letters")}
_WORKER = ("functions/worker/", f"{_LIBRARY}overflow/worker.py")


# The library's items of which each namespace has one (infra/cdk/tidegate_cdk/api/library_items.py), and the stage's
# namespace.
_OF_NAMESPACES = frozenset({"fleet", "ladder", "migrations", "overrides"})
_NAMESPACE = "aws"


# What a deployment grants only if it is asked to: `-c async_refresh=true` (tests/infra/test_grants.py), or a release by
# metrics (tests/infra/test_judged_release.py).
_BY_OPTION = frozenset({("api", "lambda:InvokeFunction"), ("judge", "cloudwatch:GetMetricData")})


class Used(NamedTuple):
    """One Allow of a role that a call has needed."""

    role: str
    action: str
    resource: str


class Recorder:
    """Records the calls of this process.

    Attributes:
        used: what was allowed, by role, action and resource.
        unplaced: calls on what no function has, such as a table that isn't there, by role and what they name.
    """

    def __init__(self, stage: StageRoles) -> None:
        self._stage = stage
        self._denied: list[str] = []
        self._keys = {name: _condition_keys(role.statements) for name, role in stage.roles.items()}
        self._allows = lru_cache(maxsize=4096)(self._evaluated)
        self.used: set[Used] = set()
        self.unplaced: Counter[tuple[str, str]] = Counter()

    def install(self) -> None:
        """Record every call that any client of botocore's makes from now on."""
        made = BaseClient._make_api_call

        def recorded(client: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
            role = role_of(sys._getframe(1))
            if role is not None:
                self.note(role, client.meta.service_model.service_name, operation, arguments)
            return made(client, operation, arguments)

        BaseClient._make_api_call = recorded  # type: ignore[method-assign]

    def note(self, role: str, service: str, operation: str, arguments: Mapping[str, Any]) -> None:
        """Evaluate an operation that a function calls."""
        try:
            calls = uses(service, operation, arguments, Resources(*self._named()))
        except _UnplacedError as error:
            self.unplaced[role, str(error)] += 1
            return
        except UnknownOperationError as error:
            # Raised here it would be taken for the call's own error.
            self._denied.append(f"it isn't known what {role} needs for {error}: say it in tests/harness/iam/calls.py")
            return
        for call in calls:
            if (role, call.action) not in _BY_OPTION:
                self.evaluate(role, call)

    def evaluate(self, role: str, call: Call) -> None:
        """Evaluate one use of a permission."""
        # With its other keys each call would be evaluated anew.
        kept = {
            name: tuple(map(_of_stage, values))
            for name, values in call.context.items()
            if name.lower() in self._keys[role]
        }
        if self._allows(role, call.action, call.resource, tuple(sorted(kept.items()))):
            self.used.add(Used(role, call.action, call.resource))
        else:
            self._denied.append(_denial(role, call))

    def taken(self) -> list[str]:
        """Return what wasn't allowed since the last time."""
        denied, self._denied = self._denied, []
        return denied

    def _evaluated(self, role: str, action: str, resource: str, keys: Sequence[tuple[str, Sequence[str]]]) -> bool:
        of = self._stage.roles[role]
        # Lambda says in every call from a function's environment whose it is.
        own = {"lambda:SourceFunctionArn": [of.function]} if of.function else {}
        return evaluate(of.statements, Call(action, resource, {**dict(keys), **own}), of.boundary).allowed

    def _named(self) -> Iterator[Any]:
        """Return how a call's names are found among the stage's."""
        yield lambda name: self._stage.places[_table(name)]
        yield lambda url: self._stage.places[_queue(url)]
        yield lambda name: self._stage.places[_function(name)]
        yield lambda name, index: self._stage.keys[_table(name) + (f"/{index}" if index else "")]
        yield [arn for name, arn in self._stage.places.items() if name.startswith(DEPLOYMENTS)]


def _of_stage(value: str) -> str:
    """Put the stage's namespace into a key that is a namespace's: each test has one of its own."""
    kind = value.partition("#")[0]
    return f"{kind}#{_NAMESPACE}" if kind in _OF_NAMESPACES else value


def _denial(role: str, call: Call) -> str:
    keys = "".join(f", {name} {', '.join(values)}" for name, values in call.context.items())
    return f"the role of {role} doesn't allow {call.action} on {call.resource}{keys}"


class _UnplacedError(Exception):
    """A call names what no function of the stage has; the message is the name."""


def _table(name: str) -> str:
    """Tell a table by the name that tests/harness/dynamodb.py, or a stack, gives it."""
    last = name.rsplit("/", 1)[-1].lower()
    begins = {"tidegate-": "library", "products-": "products", "orders-": "orders"}
    stacks = {"tablestidegate": "library", "tablesproducts": "products", "tablesorders": "orders"}
    for words, found in ((begins, last.startswith), (stacks, last.__contains__)):
        for word, table in words.items():
            if found(word):
                return table
    raise _UnplacedError(f"table {name}")


def _queue(url: str) -> str:
    name = url.rsplit("/", 1)[-1].lower()
    if "requests" not in name and "overflow" not in name:
        raise _UnplacedError(f"queue {name}")
    return "dead letters" if "dead" in name else "requests"


def _function(name: str) -> str:
    last = name.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0].rsplit("-", 1)[-1]
    if last not in {"api", "worker", "migrate"}:
        raise _UnplacedError(f"function {name}")
    return last


def _condition_keys(statements: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the condition keys that statements ask for, and those of their policy variables."""
    asked = {
        key.lower() for statement in statements for keys in statement.get("Condition", {}).values() for key in keys
    }
    return frozenset(asked | ({"dynamodb:leadingkeys"} if "${" in str(statements) else set()))


def role_of(frame: FrameType | None) -> str | None:
    """Return the function that a call is of, by the code on its stack; None: it is a test's or a person's."""
    found: set[str] = set()
    innermost = True
    while frame is not None:
        file = _relative(frame.f_code.co_filename)
        if file is not None and file != _CARRIER:
            if innermost and file.startswith("tests/"):
                return None  # a test's own call in the middle of a function's work
            innermost = False
            role = _role(file, frame.f_code.co_name)
            if role is not None:
                found.add(role)
        frame = frame.f_back
    if not found or "others" in found:
        return None
    # A state's function tells more than the modules that all states use.
    return next(role for role in ("hook", "judge", "rollout", "migrate", "worker", "api") if role in found)


@cache
def _role(file: str, function: str) -> str | None:
    if file.startswith(_OTHERS) or (file, function) in _PERSONS:
        return "others"
    if (file, function) in _JUDGE_STATES or file.startswith(_JUDGE):
        return "judge"
    if (file, function) in _WORKER_CALLS or file.startswith(_WORKER):
        return "worker"
    if file in _HOOK:
        return "hook"
    if file.startswith("functions/"):
        return file.split("/")[1]
    return "api" if file.startswith(_LIBRARY) else None


@cache
def _relative(filename: str) -> str | None:
    """Return a file's path in the repository; None of packages, which make nobody's calls of their own."""
    if not filename.startswith(f"{_ROOT}/") or "site-packages" in filename:
        return None
    return filename.removeprefix(f"{_ROOT}/")
