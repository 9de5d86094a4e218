"""CloudFormation's order: the versions to put in force, and the plan for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from functions.rollout.judge import Plan, Step
from functions.rollout.metrics import Metrics, metrics_of

Serves = Literal["http", "queue", "any"]
_USUAL_REPLAYS_PER_S = 40
# The end of a hold that no person has decided in time.
Unattended = Literal["roll_back", "go_on"]


class Target(NamedTuple):
    """A function and the version to put in force; `serves` is the kind of events that it gets.

    "queue" is asked to take an empty batch, where the order says nothing else; "http" and "any" are asked what the
    order says alone, and "http" can be asked for its schema, and for recorded requests.
    """

    name: str
    version: str
    serves: Serves


class Check(NamedTuple):
    """What a version is asked before any client reaches it: a GET of a path, or an event.

    Attributes:
        path: of the GET; None: `event` is sent as it is.
        event: the function's payload.
        status: the expected `statusCode`; None: any answer does that is no error of the function.
    """

    path: str | None
    event: Any = None
    status: int | None = None

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Check:
        """Read one of a target's `Smoke`."""
        return cls(written.get("path"), written.get("event"), written.get("status"))


def versions_of(targets: Iterable[Target]) -> dict[str, str]:
    """Return the targets' versions by function."""
    return {target.name: target.version for target in targets}


_NO_CHECKS: Mapping[str, Sequence[Check]] = MappingProxyType({})


class Order(NamedTuple):
    """A release as it was ordered.

    Attributes:
        namespace: the stage's; one release at a time runs in each.
        alias: the alias's name, the same for every function.
        targets: the functions that are released together.
        plan: the steps, and the judge's tolerances.
        look_s: seconds between two looks of the judge.
        warm: how many environments are started before the first step.
        keep: how many old versions of each function are kept.
        hold_s: for how many seconds a release waits for a person, in all.
        migrate: the function that migrates; None: there is none.
        machine_s: the longest run of the machine, its response included; seconds.
        back_s: the part of that which is reserved for a rollback; seconds.
        into_incident: why a release begins although alarms ring; None: it doesn't.
        unattended: the end of a hold that no person decides.
        replay_per_s: recorded requests per second to each version if clients send too few; 0: none.
        checks: what the versions of a function are asked, beside what they serve.
        metrics: the metrics by which versions are compared; None: by Tidegate's own counts.
    """

    namespace: str
    alias: str
    targets: tuple[Target, ...]
    plan: Plan
    look_s: int
    warm: int
    keep: int
    hold_s: int
    migrate: str | None
    machine_s: int = 3540
    back_s: int = 300
    into_incident: str | None = None
    unattended: Unattended = "roll_back"
    replay_per_s: int = _USUAL_REPLAYS_PER_S
    checks: Mapping[str, Sequence[Check]] = _NO_CHECKS
    metrics: Metrics | None = None

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> Order:
        """Read the properties of the custom resource; CloudFormation writes every number as a string."""
        way = json.loads(properties["Way"])
        return cls(
            properties["Namespace"],
            properties["Alias"],
            tuple([Target(t["Name"], str(t["Version"]), t["Serves"]) for t in properties["Targets"]]),
            plan_of(way),
            way["look_s"],
            way["warm"],
            way["keep"],
            way["hold_s"],
            properties.get("Migrate") or None,
            way.get("machine_s", 3540),
            way.get("back_s", 300),
            properties.get("IntoIncident") or None,
            way.get("unattended", "roll_back"),
            way.get("replay_per_s", _USUAL_REPLAYS_PER_S),
            _checks(properties["Targets"]),
            metrics_of(properties.get("Evidence")),
        )

    @property
    def versions(self) -> dict[str, str]:
        """The versions to put in force, by function."""
        return versions_of(self.targets)

    def moving(self, stable: Mapping[str, str]) -> tuple[Target, ...]:
        """Return the functions whose version changes."""
        return tuple([target for target in self.targets if stable.get(target.name) != target.version])


def _checks(targets: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Check, ...]]:
    """Read the checks of those targets that say theirs; in JSON, since CloudFormation makes strings of numbers."""
    return {t["Name"]: tuple([Check.of(one) for one in json.loads(t["Smoke"])]) for t in targets if "Smoke" in t}


def plan_of(way: Mapping[str, Any]) -> Plan:
    """Read a stage's way of releasing as the judge's plan; members that an older stack lacks have their defaults."""
    usual = Plan()
    return Plan(
        tuple([Step(percent, least, most, unproven) for percent, least, most, unproven in way["steps"]]),
        settle_s=way.get("settle_s", usual.settle_s),
        stretch_s=way.get("stretch_s", usual.stretch_s),
    )
