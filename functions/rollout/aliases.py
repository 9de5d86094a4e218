"""The Lambda aliases: their versions and weights, and the deletion of versions that aren't needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from functions.rollout.order import Target


class Split(NamedTuple):
    """An alias's routing: the version in force, and the weights (0 to 1) of others beside it."""

    version: str
    weights: Mapping[str, float]


def made_again(function: str, version: str) -> str:
    """Say that an alias was missing, and what its maker has to see to."""
    return (
        f"The alias of {function} was missing, and is made again at version {version}. What it let API Gateway do went "
        "with it: see docs/releases.md."
    )


class Aliases:
    """The aliases of one name, through Lambda's own API (a boto3 client)."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def read(self, function: str) -> Split | None:
        """Read a function's alias; None if it has none yet."""
        try:
            found = self._client.get_alias(FunctionName=function, Name=self._name)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return Split(found["FunctionVersion"], {version: float(weight) for version, weight in weights.items()})

    def read_all(self, functions: Iterable[str]) -> dict[str, Split | None]:
        """Read the aliases of all these functions."""
        return {name: self.read(name) for name in functions}

    def named(self, function: str, version: str) -> dict[str, str]:
        """Return the arguments of the state machine's own UpdateAlias, which puts a version in force."""
        return {"FunctionName": function, "Name": self._name, "FunctionVersion": version}

    def in_force(self, targets: Iterable[Target]) -> dict[str, str]:
        """Return the version in force of each function that has one."""
        splits = self.read_all([target.name for target in targets])
        return {name: split.version for name, split in splits.items() if split}

    def shift(self, function: str, stable: str, canary: str, percent: float) -> None:
        """Give the canary a share of the traffic, in percent."""
        self._update(function, stable, {canary: round(percent / 100, 4)})

    def settle(self, function: str, version: str) -> None:
        """Give one version all of the traffic."""
        self._update(function, version, {})

    def put_back(self, versions: Mapping[str, str]) -> list[str]:
        """Give each function's version all of the traffic, and return a sentence of each alias that wasn't there.

        One that fails keeps none of the others from it.

        Raises:
            Exception: the first error, when all were tried.
        """
        said, errors = list[str](), list[Exception]()
        for function, version in versions.items():
            try:
                said += self._put_back(function, version)
            except Exception as error:  # noqa: BLE001  # it is raised after the others
                errors.append(error)
        if errors:
            raise errors[0]
        return said

    def _put_back(self, function: str, version: str) -> list[str]:
        try:
            self.settle(function, version)
        except self._client.exceptions.ResourceNotFoundException:
            missing = self.read(function) is None
            if not missing or self.settle_at_first(function, (version,), missing=True) is None:
                return [f"Version {version} of {function}, which was in force, isn't there."]
            return [made_again(function, version)]
        return []

    def settle_at_first(self, function: str, versions: Sequence[str], *, missing: bool) -> str | None:
        """Give the first of these versions that still exists all of the traffic, and return it; None if none does.

        `missing`: the alias has to be created.
        """
        for version in versions:
            try:
                if missing:
                    self._client.create_alias(FunctionName=function, Name=self._name, FunctionVersion=version)
                else:
                    self.settle(function, version)
            except self._client.exceptions.ResourceNotFoundException:
                continue
            return version
        return None

    def newest(self, function: str) -> int:
        """Return the number of the newest published version; 0 if there is none."""
        return max(self._published(function), default=0)

    def prune(self, function: str, keep: int, spared: Iterable[str], given_up: Iterable[str] = ()) -> list[str]:
        """Delete old versions, and those `given_up`; return the deleted ones.

        Never deleted are the versions that an alias names, those newer than all of these, and `spared`; the last `keep`
        are deleted only if `given_up`.

        Raises:
            Exception: the first error, when all were tried.
        """
        versions = self._published(function)
        named = self._named(function)
        kept = {*named, *spared}
        newest = max([int(version) for version in named if version.isdigit()], default=0)
        old = {str(version) for version in versions[:-keep]} | set(given_up)
        pruned = [str(version) for version in versions if str(version) in old - kept and version <= newest]
        errors = list[Exception]()
        for version in pruned:
            try:
                self._client.delete_function(FunctionName=function, Qualifier=version)
            except Exception as error:  # noqa: BLE001  # it is raised after the others
                errors.append(error)
        if errors:
            raise errors[0]
        return pruned

    def _published(self, function: str) -> list[int]:
        pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
        return sorted(int(v["Version"]) for p in pages for v in p["Versions"] if v["Version"].isdigit())

    def _named(self, function: str) -> set[str]:
        found = list(self._all(function))
        weighted = [(alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {} for alias in found]
        return {alias["FunctionVersion"] for alias in found} | {version for weights in weighted for version in weights}

    def _all(self, function: str) -> Iterator[Mapping[str, Any]]:
        asked: dict[str, str] = {"FunctionName": function}
        while True:
            page = self._client.list_aliases(**asked)
            yield from page["Aliases"]
            if not page.get("NextMarker"):
                return
            asked["Marker"] = page["NextMarker"]

    def _update(self, function: str, version: str, weights: Mapping[str, float]) -> None:
        self._client.update_alias(
            FunctionName=function,
            Name=self._name,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights)},
        )
