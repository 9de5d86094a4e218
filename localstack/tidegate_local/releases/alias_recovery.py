"""Aliases that are gone, at no version, or left with weights: back at what was in force."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate_local.errors import ReleaseError
from tidegate_local.releases import advice
from tidegate_local.releases.place import Place, latest

_FUNCTIONS = ("FunctionName", "WorkerName")
_STATEMENT = "tidegate-recovered"


@dataclass(frozen=True)
class AliasRecovery:
    """The aliases of a place on which no release runs; `say` is told of what is done."""

    place: Place
    say: Callable[[str], None]

    def restore(self) -> None:
        """See that each alias names one version, and nothing beside it.

        Raises:
            ReleaseError: which version was in force can't be told.
        """
        for output in _FUNCTIONS:
            function = self.place.output(output)
            found = self._read(function)
            if found is None:
                self._make(function, gateway=output == "FunctionName")
            elif not found["FunctionVersion"].isdigit():
                self._settle(function, self._in_force(function), f"was at {found['FunctionVersion']}")
            elif (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights"):
                self._settle(function, found["FunctionVersion"], "had weights that no release cares for")

    def _read(self, function: str) -> Mapping[str, Any] | None:
        functions = self.place.client("lambda")
        try:
            found: Mapping[str, Any] = functions.get_alias(FunctionName=function, Name=self._alias)
        except functions.exceptions.ResourceNotFoundException:
            return None
        return found

    def _settle(self, function: str, version: str, why: str) -> None:
        self.place.client("lambda").update_alias(
            FunctionName=function,
            Name=self._alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": {}},
        )
        self.say(f"{function}:{self._alias} {why}: version {version} is in force.")

    def _make(self, function: str, *, gateway: bool) -> None:
        functions, version = self.place.client("lambda"), self._in_force(function)
        made = functions.create_alias(FunctionName=function, Name=self._alias, FunctionVersion=version)
        if gateway:  # who may call an alias is gone with it
            _, _, _, region, account, *_ = made["AliasArn"].split(":")
            partition = made["AliasArn"].split(":")[1]
            functions.add_permission(
                FunctionName=function,
                Qualifier=self._alias,
                StatementId=_STATEMENT,
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=f"arn:{partition}:execute-api:{region}:{account}:{self.place.output('ApiId')}/*/*/*",
            )
        self.say(f"{function}:{self._alias} was gone: version {version} is in force.")

    def _in_force(self, function: str) -> str:
        """Return the version that the ledger says is in force, else the one promoted last, else the stack's own."""
        release = latest(self.place)
        promoted = [past[function] for past in release.promotions if function in past] if release else []
        if release and function in release.in_force:
            promoted.append(release.in_force[function])
        if promoted:
            return promoted[-1]
        pages = self.place.client("cloudformation").get_paginator("list_stack_resources")
        named = [
            resource["PhysicalResourceId"].rpartition(":")[2]
            for page in pages.paginate(StackName=self.place.stack)
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == "AWS::Lambda::Version" and f":{function}:" in resource["PhysicalResourceId"]
        ]
        if not named:
            following = advice.typed("rollback VERSION", self.place.stage)
            raise ReleaseError(f"Which version of {function} was in force can't be told. Next: {following}")
        return str(max(named, key=int))

    @property
    def _alias(self) -> str:
        return self.place.output("AliasName")
