"""The release's state machine, started and awaited by whoever deploys: what CloudFormation does on other engines."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tidegate_local import interruption
from tidegate_local.errors import DeploymentError
from tidegate_local.releases.alias_shares import shares

Order = Mapping[str, Any]
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Ending:
    """How a release ended; not `settled` is that the machine died, and may have left weights."""

    well: bool
    reason: str
    settled: bool = True


@dataclass(frozen=True)
class Machine:
    """The machine of a stack, and the function `rollout` that starts it (boto3 clients).

    An order is what the stack's output ReleaseOrder says: the custom resource's properties.
    """

    functions: Any
    states: Any

    def begin(self, kind: Literal["Create", "Update"], order: Order, release_id: str) -> str | None:
        """Order a release as CloudFormation does; returns what was answered at once, None: the machine runs.

        Raises:
            DeploymentError: it didn't begin.
        """
        event = {"RequestType": kind, "RequestId": release_id, "ResourceProperties": order}
        told = self.functions.invoke(FunctionName=order["ServiceToken"], Payload=json.dumps(event).encode())
        document = json.loads(told["Payload"].read() or b"null")
        if "FunctionError" in told:
            raise DeploymentError(f"The release didn't begin: {document}. `make logs` may tell more.")
        said: str | None = document["said"]
        return said

    def ending(self, order: Order, release_id: str) -> Ending | None:
        """Wait for the end of a release and tell it; None: there never was such a release."""
        arn = f"{order['Machine'].replace(':stateMachine:', ':execution:')}:{release_id}"
        while True:
            try:
                found = self.states.describe_execution(executionArn=arn)
            except self.states.exceptions.ExecutionDoesNotExist:
                return None
            if found["status"] != "RUNNING":
                return _ending(found)
            interruption.check()
            time.sleep(_LOOK_EVERY_S)

    def in_force(self, order: Order) -> dict[str, tuple[str, bool] | None]:
        """Return each alias's version, and whether that is all that it names, by function; None: there is no alias."""
        return {target["Name"]: self._in_force(target["Name"], order["Alias"]) for target in order["Targets"]}

    def _in_force(self, function: str, name: str) -> tuple[str, bool] | None:
        try:
            alias = self.functions.get_alias(FunctionName=function, Name=name)
        except self.functions.exceptions.ResourceNotFoundException:
            return None
        return alias["FunctionVersion"], len(shares(alias)) == 1


def order_of(outputs: Mapping[str, str]) -> Order:
    """Read what a stack's deployer has to order.

    Raises:
        DeploymentError: the stack has no such output.
    """
    if "ReleaseOrder" not in outputs:
        raise DeploymentError("The stack has no output ReleaseOrder: deploy it with -c engine=localstack.")
    order: Order = json.loads(outputs["ReleaseOrder"])
    return order


def _ending(execution: Mapping[str, Any]) -> Ending:
    if execution["status"] != "SUCCEEDED":
        why = execution.get("cause") or execution.get("error") or ""
        reason = f"The state machine ended as {execution['status']}. {why}".strip()
        return Ending(well=False, reason=reason, settled=False)
    document = json.loads(execution["output"])
    return Ending(document.get("outcome") == "SUCCESS", str(document.get("reason")))
