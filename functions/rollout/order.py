"""What CloudFormation orders: which versions are to be in force, and by which way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from functions.rollout.judge import Plan, Step

Serves = Literal["http", "queue"]


class Target(NamedTuple):
    """A function and the version that its alias is to name; `serves` tells what it is invoked with."""

    name: str
    version: str
    serves: Serves


class Order(NamedTuple):
    """A release as it was ordered.

    Attributes:
        namespace: of the stage; one release at a time in each.
        alias: of every function.
        targets: the functions that are released together.
        plan: the steps, and what is judged against what.
        look_s: seconds between two looks of the judge.
        warm: how many environments are started before any weight.
        keep: how many old versions of each function are kept.
        hold_s: so long a release waits for a person, in all.
        migrate: the function that migrates; None: there is none.
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

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> Order:
        """Read the properties of the custom resource; CloudFormation writes every number as a string."""
        way = json.loads(properties["Way"])
        steps = tuple([Step(percent, least, most, unproven) for percent, least, most, unproven in way["steps"]])
        return cls(
            properties["Namespace"],
            properties["Alias"],
            tuple([Target(t["Name"], str(t["Version"]), t["Serves"]) for t in properties["Targets"]]),
            Plan(steps),
            way["look_s"],
            way["warm"],
            way["keep"],
            way["hold_s"],
            properties.get("Migrate") or None,
        )

    def moving(self, stable: Mapping[str, str]) -> tuple[Target, ...]:
        """Pick the functions whose version changes."""
        return tuple([target for target in self.targets if stable.get(target.name) != target.version])
