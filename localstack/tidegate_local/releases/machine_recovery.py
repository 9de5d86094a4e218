"""A release whose state machine died: taken back, and answered for, in the machine's place."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from tidegate_local.releases.item import ReleaseItem
from tidegate_local.releases.place import Place

_REASON = "Its state machine died ({status}); taken back by `tidegate release --recover`."
_ANSWERS_WITHIN_S = 20.0
# What CloudFormation wants back of what it sent.
_KEPT = ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId")


@dataclass(frozen=True)
class MachineRecovery:
    """The machine of a place; `say` is told of what is done."""

    place: Place
    say: Callable[[str], None]

    def dead(self) -> ReleaseItem | None:
        """Return the release that says it runs, and whose machine doesn't; None: there is none such."""
        release = self._running()
        return release if release and self._execution(release).get("status") != "RUNNING" else None

    def alive(self) -> ReleaseItem | None:
        """Return the release that runs, with its machine; None: there is none."""
        release = self._running()
        return release if release and self._execution(release).get("status") == "RUNNING" else None

    def replace(self) -> None:
        """Take a dead machine's release back: its weights, its lock, and the answer that CloudFormation waits for."""
        release = self.dead()
        if release is None:
            return
        execution = self._execution(release)
        reason = _REASON.format(status=execution.get("status", "never started"))
        self.say(f"Release {release.token}: {reason}")
        functions, alias = self.place.client("lambda"), self.place.output("AliasName")
        for name, version in release.stable.items():
            with suppress(functions.exceptions.ResourceNotFoundException):  # an alias that is gone is made anew later
                functions.update_alias(
                    FunctionName=name,
                    Name=alias,
                    FunctionVersion=version,
                    RoutingConfig={"AdditionalVersionWeights": {}},
                )
        self.place.releases().give_up(release, reason)
        self._answer(json.loads(execution.get("input") or "{}").get("answer", {}), reason)

    def _running(self) -> ReleaseItem | None:
        if not {"TidegateTable", "ReleaseMachine"} <= set(self.place.outputs):
            return None
        latest = self.place.releases().latest()
        return latest if latest and latest.state == "running" else None

    def _execution(self, release: ReleaseItem) -> Mapping[str, Any]:
        states = self.place.client("stepfunctions")
        machine = self.place.output("ReleaseMachine")
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{release.id}"
        try:
            found: Mapping[str, Any] = states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            return {}
        return found

    def _answer(self, to: Mapping[str, str], reason: str) -> None:
        if "ResponseURL" not in to:
            return  # nobody waits: whoever deployed it puts the rest back
        body = {name: to[name] for name in _KEPT if name in to} | {"Status": "FAILED", "Reason": reason}
        # It waits for an hour at most: an address that is no more has been given up.
        with suppress(httpx.HTTPError):
            httpx.put(
                to["ResponseURL"],
                content=json.dumps(body),
                headers={"Content-Type": ""},  # part of what S3's address is signed for
                timeout=_ANSWERS_WITHIN_S,
            )
