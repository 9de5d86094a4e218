"""The aliases: what they name, how they divide their traffic, and which versions nobody needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from functions.rollout.order import Target


class Split(NamedTuple):
    """What an alias names: the version in force, and the weights (0 to 1) of others beside it."""

    version: str
    weights: Mapping[str, float]


class Aliases:
    """The aliases of one name, through Lambda's own API (a boto3 client)."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def read(self, function: str) -> Split | None:
        """Look at a function's alias; None: it has none yet."""
        try:
            found = self._client.get_alias(FunctionName=function, Name=self._name)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return Split(found["FunctionVersion"], {version: float(weight) for version, weight in weights.items()})

    def named(self, function: str, version: str) -> dict[str, str]:
        """Name a function's alias and what it is to say, as the machine's own UpdateAlias takes it."""
        return {"FunctionName": function, "Name": self._name, "FunctionVersion": version}

    def in_force(self, targets: Iterable[Target]) -> dict[str, str]:
        """Return the version in force of each function that has one."""
        splits = {target.name: self.read(target.name) for target in targets}
        return {name: split.version for name, split in splits.items() if split}

    def shift(self, function: str, stable: str, canary: str, percent: float) -> None:
        """Give the canary a share of the traffic."""
        self._update(function, stable, {canary: round(percent / 100, 4)})

    def settle(self, function: str, version: str) -> None:
        """Give one version all of the traffic."""
        self._update(function, version, {})

    def prune(self, function: str, keep: int, spared: Iterable[str]) -> list[str]:
        """Delete old versions, but for the last so many, those that any alias names, and `spared`; return them."""
        pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
        versions = sorted(int(v["Version"]) for p in pages for v in p["Versions"] if v["Version"].isdigit())
        named = self._named(function)
        pruned = [
            str(version) for version in versions[:-keep] if str(version) not in named and str(version) not in spared
        ]
        for version in pruned:
            self._client.delete_function(FunctionName=function, Qualifier=version)
        return pruned

    def _named(self, function: str) -> set[str]:
        found = self._client.list_aliases(FunctionName=function)["Aliases"]
        weighted = [(alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {} for alias in found]
        return {alias["FunctionVersion"] for alias in found} | {version for weights in weighted for version in weights}

    def _update(self, function: str, version: str, weights: Mapping[str, float]) -> None:
        self._client.update_alias(
            FunctionName=function,
            Name=self._name,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights)},
        )
