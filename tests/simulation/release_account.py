"""Lambda and Step Functions as a release finds them, IAM's slowness and S3's refusals included."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from functions.rollout import handler
from functions.rollout.smoke import Fault
from tests.harness.iam.plugin import RECORDER
from tests.harness.iam.recording import role_of
from tests.simulation.release_states import TaskError, execution
from tests.simulation.release_timeline import Timeline
from tidegate_cdk.release_machine import definition

ALIAS = "live"
_LEFT_MS = 120_000


class NotFoundError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ResourceNotFoundException"}}, "any")


class RunsAlreadyError(Exception):
    """An execution of that name has been started."""


class Account:
    """Functions with versions and an alias each, and the machines that run.

    Attributes:
        versions: the published versions by function.
        aliases: the version and the weights of each function's alias.
        granted_s: until then the role of the functions may do nothing.
        runs: the ids of the machines that run; `died` those that ended without an answer.
        entered: by the machine's id, the states that it has entered, and the document there.
    """

    exceptions: ClassVar[Any] = SimpleNamespace(
        ResourceNotFoundException=NotFoundError, ExecutionAlreadyExists=RunsAlreadyError
    )

    def __init__(self, timeline: Timeline, table: Any) -> None:
        self.timeline, self._table = timeline, table
        self.versions: dict[str, list[str]] = {}
        self.aliases: dict[str, tuple[str, dict[str, float]]] = {}
        self.granted_s = 0.0
        self.bad: set[str] = set()
        self.runs: list[str] = []
        self.died: dict[str, str] = {}
        self.entered: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self._started: set[str] = set()
        self._newest: dict[str, int] = {}

    def publish(self, function: str) -> str:
        """Publish a version; a deleted one's number is never given again."""
        self._newest[function] = self._newest.get(function, 0) + 1
        self.versions.setdefault(function, []).append(str(self._newest[function]))
        return str(self._newest[function])

    def forget(self) -> None:
        """Delete the functions: those that are made after them count anew."""
        for known in (self.versions, self._newest, self.bad):
            known.clear()

    def client(self, *_: Any, **__: Any) -> Any:
        return self

    def call(self, event: Mapping[str, Any]) -> Any:
        """Invoke the controller, whose environment knows how much of its time is left."""
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: _LEFT_MS)
        return handler.handler(json.loads(json.dumps(event)), context)

    # Lambda's API, as far as functions/rollout/aliases.py knows it.

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, Any]:  # noqa: N803  # boto's names
        self.check("GetAlias", FunctionName=FunctionName)
        if FunctionName not in self.aliases:
            raise NotFoundError
        version, weights = self.aliases[FunctionName]
        return {"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}}

    def create_alias(self, FunctionName: str, Name: str, FunctionVersion: str) -> None:  # noqa: N803
        self.check("CreateAlias", FunctionName=FunctionName)
        self._put(FunctionName, FunctionVersion, {})

    def update_alias(
        self,
        FunctionName: str,  # noqa: N803
        Name: str,  # noqa: N803
        FunctionVersion: str,  # noqa: N803
        RoutingConfig: Mapping[str, Any],  # noqa: N803
    ) -> None:
        self.check("UpdateAlias", FunctionName=FunctionName)
        if FunctionName not in self.aliases:
            raise NotFoundError
        self._put(FunctionName, FunctionVersion, dict(RoutingConfig["AdditionalVersionWeights"]))

    def _put(self, function: str, version: str, weights: dict[str, float]) -> None:
        if {version, *weights} - set(self.versions[function]):
            raise NotFoundError
        self.aliases[function] = (version, weights)

    def list_aliases(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        self.check("ListAliases", FunctionName=FunctionName)
        return {"Aliases": [self.get_alias(FunctionName, ALIAS)] if FunctionName in self.aliases else []}

    def get_paginator(self, _: str) -> Any:
        def paginate(FunctionName: str) -> list[Any]:  # noqa: N803
            self.check("ListVersionsByFunction", FunctionName=FunctionName)
            return [{"Versions": [{"Version": version} for version in self.versions[FunctionName]]}]

        return SimpleNamespace(paginate=paginate)

    def delete_function(self, FunctionName: str, Qualifier: str) -> None:  # noqa: N803
        self.check("DeleteFunction", FunctionName=FunctionName, Qualifier=Qualifier)
        version, weights = self.aliases.get(FunctionName, ("", {}))
        assert Qualifier not in {version, *weights}, f"{FunctionName} {Qualifier} serves, and is deleted"
        self.versions[FunctionName].remove(Qualifier)

    # Step Functions.

    def start_execution(self, stateMachineArn: str, name: str, input: str) -> None:  # noqa: A002, N803
        self.check("StartExecution", "stepfunctions", stateMachineArn=stateMachineArn)
        if name in self._started:
            raise RunsAlreadyError
        self._started.add(name)
        self.runs.append(name)
        self.timeline.start(self._run(name, json.loads(input)), 0.1)

    def _run(self, name: str, document: dict[str, Any]) -> Any:
        entered = self.entered.setdefault(name, [])
        machine = definition("rollout", "rollout")
        try:
            yield from execution(machine, document, self._task, lambda *one: entered.append(one))
        except TaskError as error:
            self.died[name] = str(error)
        finally:
            self.runs.remove(name)

    def _task(self, resource: str, parameters: Mapping[str, Any]) -> Any:
        self.timeline.sleep(0.2)
        with _named():
            if resource == "rollout":
                return self.call(parameters)
            if resource.endswith(":updateItem"):
                self.check()
                return self._table.meta.client.update_item(**_typed(parameters))
            return self.update_alias(**parameters)

    def check(self, operation: str = "", service: str = "lambda", **arguments: str) -> None:
        """Evaluate the call as real clients' calls are, and deny it while the role is new."""
        role = role_of(sys._getframe(2))
        if role and operation:
            RECORDER.note(role, service, operation, arguments)
        if self.timeline.time() < self.granted_s:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "any")

    # What the versions answer.

    def faults(self, targets: Any, patience: Any) -> list[Fault]:
        patience.check()
        ill = [target for target in targets if f"{target.name} {target.version}" in self.bad]
        return [Fault(of.name, of.version, "GET /health/ready", "answer", "answers 503") for of in ill]

    def warm(self, targets: Any, environments: int, patience: Any) -> list[Fault]:
        return []

    def schema_needed(self, target: Any) -> None:
        return None

    def by_minute(self, function: str, version: str, start_s: int) -> dict[int, Any]:
        return {}


def _typed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Take the item as the client of boto's resource does, which types values itself."""

    def plain(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: int(value["N"]) if "N" in value else value["S"] if isinstance(value, Mapping) else value
            for name, value in values.items()
        }

    values = plain(parameters["ExpressionAttributeValues"])
    return {**parameters, "Key": plain(parameters["Key"]), "ExpressionAttributeValues": values}


@contextmanager
def _named() -> Any:
    """Give errors the names that Step Functions gives them."""
    try:
        yield
    except TaskError:
        raise
    except Exception as error:
        raise TaskError(type(error).__name__, json.dumps({"errorMessage": str(error)})) from error
