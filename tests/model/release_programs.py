"""What a release does, as the controller's own code: CloudFormation's request, each state of the machine, its death.

Each asks the model for what lies outside: the ledger's item, the alias, the versions, the migrations' runner, the judge
(whose errors docs/judge.md has), and CloudFormation.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from functions.rollout import begin, clock, cloudformation, ending, returning, states, watching
from functions.rollout.aliases import Aliases
from functions.rollout.judge.verdict import Verdict
from functions.rollout.ledger import Ledger
from functions.rollout.parts import Parts
from functions.rollout.patience import Patience
from functions.rollout.smoke import Fault
from tests.model.resumption import Outside

FUNCTION = "api"
STEPS = (10, 50)
TICK_S = 1_200
BORN_S = 1_800_000_000
_WAY = {
    "look_s": 2,
    "warm": 1,
    "keep": 2,
    "hold_s": 60,
    "replay_per_s": 0,
}
Item = tuple[tuple[str, Any], ...]


class LostError(Exception):
    """A call wasn't answered."""


class NotFoundError(Exception):
    """There is no such alias."""


class RefusedError(Exception):
    """The ledger's condition doesn't hold."""


class RunsAlreadyError(Exception):
    """An execution of that name has been started."""


class Task(NamedTuple):
    """A call of the controller's.

    Attributes:
        kind: `request` (CloudFormation's), `death` (EventBridge's), or the machine's action.
        document: the event, or the machine's document, as JSON.
    """

    kind: str
    document: str

    def __call__(self, outside: Outside) -> str:
        """Do it, and return the machine's new document."""
        _now.append(outside)
        try:
            document = json.loads(self.document)
            if self.kind == "request":
                return json.dumps(begin.begin(document))
            if self.kind == "death":
                return json.dumps(ending.ended(document))
            return json.dumps(states.run(self.kind, document), sort_keys=True)
        finally:
            _now.pop()


_now: list[Outside] = []


def properties(version: str, shares: Sequence[float] = STEPS) -> dict[str, Any]:
    """Return the custom resource's properties for a version of the one function.

    `shares` are the canary's, step by step, in percent.
    """
    steps = [[percent, 2, 4, "advance"] for percent in shares]
    return {
        "Namespace": "shop",
        "Alias": "live",
        "Targets": [{"Name": FUNCTION, "Version": version, "Serves": "http"}],
        "Way": json.dumps({"steps": steps, **_WAY}),
        "Migrate": "migrate",
        "Machine": "machine",
    }


def event(request: str, version: str, former: str, shares: Sequence[float] = STEPS) -> str:
    """Return CloudFormation's Update from one version to another."""
    return json.dumps(
        {
            "RequestType": "Update",
            "RequestId": request,
            "ResponseURL": f"https://answers.test/{request}",
            "StackId": "stack",
            "LogicalResourceId": "Release",
            "PhysicalResourceId": "tidegate-release",
            "ResourceProperties": properties(version, shares),
            "OldResourceProperties": properties(former, shares),
        },
        sort_keys=True,
    )


def death(document: str) -> str:
    """Return EventBridge's event of a machine that died; `document` is what it was started with."""
    return json.dumps({"detail-type": ending.KIND, "detail": {"status": "TIMED_OUT", "input": document}})


@contextmanager
def inside() -> Iterator[None]:
    """Let the controller meet the model where it would meet AWS."""
    looks = SimpleNamespace(
        again=lambda *_: {"targets": {}},
        weighed=lambda seen, _: (None, seen),
        buckets=lambda _: (),
        first=lambda *_: {},
    )
    judging = SimpleNamespace(decide=_judged, replays=lambda *_: 0, standing_still=lambda *_: "")
    told = SimpleNamespace(time=lambda: BORN_S + _now[-1].now * TICK_S, time_ns=lambda: 0, sleep=lambda _: None)
    with ExitStack() as doubles:
        for where, name, double in (
            (clock, "time", told),
            (begin, "parts", _parts),
            (states, "parts", _parts),
            (ending, "parts", _parts),
            (states, "looks", looks),
            (watching, "looks", looks),
            (watching, "judging", judging),
            (watching, "verdict_document", lambda verdict: [verdict.outcome]),
            (watching, "kept", lambda verdicts, _: verdicts),
            (returning, "file_report", lambda *_: None),
            (begin, "client", _step_functions),
            (cloudformation, "answer", _answer),
        ):
            doubles.enter_context(patch.object(where, name, double))
        yield


def _parts(_order: object) -> Parts:
    asks: Any = _Asks()
    return Parts(Aliases(asks, "live"), Ledger(asks, "shop"), asks, asks, asks.invoke)


class _Asks:
    """Lambda, the ledger's table, and the versions' own answers."""

    name = "ledger"
    exceptions = SimpleNamespace(ResourceNotFoundException=NotFoundError, ConditionalCheckFailedException=RefusedError)

    @property
    def meta(self) -> Any:
        return SimpleNamespace(client=self)

    def get_alias(self, **_: str) -> dict[str, Any]:
        version, weights = _ask("alias", ("read",))
        return {"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": dict(weights)}}

    def update_alias(self, FunctionVersion: str, RoutingConfig: Mapping[str, Any], **_: str) -> None:  # noqa: N803  boto's names
        _ask("alias", ("put", FunctionVersion, tuple(RoutingConfig["AdditionalVersionWeights"].items())))

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [])

    def list_aliases(self, **_: str) -> dict[str, Any]:
        return {"Aliases": []}

    def get_item(self, **_: Any) -> dict[str, Any]:
        item = _ask("ledger", ("read",))
        return {"Item": _loaded(item)} if item else {}

    def put_item(self, **_: Any) -> None:
        """Keep a report; nothing hangs on it."""

    def update_item(self, **call: Any) -> dict[str, Any]:
        done, item = _ask("ledger", ("update", call))
        if not done:
            raise RefusedError
        return {"Attributes": _loaded(item or ())}

    def faults(self, targets: Any, patience: Patience) -> list[Fault]:
        patience.check()
        asked = [target for target in targets if _ask("version", target.version) == "ill"]
        return [Fault(of.name, of.version, "GET /health/ready", "answer", "answers 503") for of in asked]

    def warm(self, *_: Any) -> list[Fault]:
        return []

    def schema_needed(self, _: Any) -> None:
        return None

    def invoke(self, Payload: bytes, **_: str) -> dict[str, Any]:  # noqa: N803  boto's name
        told = _ask("runner", json.loads(Payload)["action"])
        return {"Payload": io.BytesIO(told.encode())}


class _StepFunctions:
    exceptions = SimpleNamespace(ExecutionAlreadyExists=RunsAlreadyError)

    def start_execution(self, name: str, input: str, **_: str) -> None:  # noqa: A002  boto's name
        if not _ask("machine", (name, input)):
            raise RunsAlreadyError


def _step_functions(_service: str) -> _StepFunctions:
    return _StepFunctions()


def _answer(to: Mapping[str, str], status: str, _reason: str) -> None:
    _ask("cloudformation", (to["ResponseURL"].rsplit("/", 1)[1], status))


def _judged(_plan: object, _evidence: object, step: int, elapsed_s: float, _ringing: object) -> Verdict | None:
    outcome = _ask("judge", step)
    if outcome == "not yet":
        return None
    nothing: Any = None
    return Verdict(outcome, step, elapsed_s, ("As the model has it.",), (), nothing, nothing, "advance")


def _ask(whom: str, asks: Any) -> Any:
    return _now[-1].ask(whom, asks)


def _loaded(item: Item) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in item}
