"""The way out of the states in which CloudFormation takes no deploy: `tidegate release --recover`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tidegate_local import interruption
from tidegate_local.errors import DeploymentError
from tidegate_local.releases import advice
from tidegate_local.stacks import events
from tidegate_local.stacks.description import described, status_of
from tidegate_local.stacks.status import Standing, outcome, standing

_LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class StackRecovery:
    """Brings one stack to rest (a boto3 client of CloudFormation); `say` is told of each step that takes long."""

    client: Any
    stack: str
    stage: str
    say: Callable[[str], None]

    def recover(self, skip: Sequence[str] = ()) -> str | None:
        """Do what the stack's state asks for, and return its status then; None: there is no stack any more.

        `skip` are the logical ids of resources that are to stay as they are, where CloudFormation can't take them back
        or delete them.

        Raises:
            DeploymentError: it didn't come to rest; the message names the resources in its way.
        """
        status = self._status()
        ways: dict[Standing, Callable[[Sequence[str]], None]] = {
            Standing.PAUSED: self._roll_back,
            Standing.PAUSED_ON_THE_WAY_BACK: self._continue,
            Standing.HALF_MADE: self._delete_half_made,
            Standing.HALF_DELETED: self._delete,
        }
        way = ways.get(standing(status))
        if way is None:
            return status
        self.say(f"{self.stack} {outcome(status)}.")
        try:
            way(skip)
        except ClientError as error:
            raise DeploymentError(
                f"CloudFormation refused: {error.response['Error'].get('Message', error)}\n{self._stuck()}"
            ) from error
        return self._at_rest()

    def _roll_back(self, _: Sequence[str]) -> None:
        self.say("What was deployed before is put back.")
        self.client.rollback_stack(StackName=self.stack)

    def _continue(self, skip: Sequence[str]) -> None:
        self.say(f"Its rollback goes on{', without ' + ', '.join(skip) if skip else ''}.")
        named = {"ResourcesToSkip": list(skip)} if skip else {}
        self.client.continue_update_rollback(StackName=self.stack, **named)

    def _delete_half_made(self, _: Sequence[str]) -> None:
        # It never served: the protection is meant for stacks that do.
        self.client.update_termination_protection(StackName=self.stack, EnableTerminationProtection=False)
        self._delete(())

    def _delete(self, skip: Sequence[str]) -> None:
        self.say("What is left of it is deleted; the next release makes it anew.")
        named = {"RetainResources": list(skip)} if skip else {}
        self.client.delete_stack(StackName=self.stack, **named)

    def _at_rest(self) -> str | None:
        # What was asked for may not have begun when its answer comes.
        time.sleep(_LOOK_EVERY_S)
        status = await_rest(self.client, self.stack)
        if standing(status) not in {Standing.WHOLE, Standing.ABSENT}:
            raise DeploymentError(f"{self.stack} {outcome(status)} still.\n{self._stuck()}")
        return status

    def _stuck(self) -> str:
        """Say what is in the way, and how to go round it."""
        resources = events.stuck(events.read(self.client, self.stack))
        if not resources:
            return f"Its events say why: aws cloudformation describe-stack-events --stack-name {self.stack}"
        lines = "\n".join(f"  {name}: {reason}" for name, reason in resources.items())
        again = advice.typed("release --recover", self.stage)
        skipping = advice.typed(" ".join(["release --recover", *(f"--skip {name}" for name in resources)]), self.stage)
        return f"In the way:\n{lines}\nNext: mend that and {again} again, or have them left as they are: {skipping}"

    def _status(self) -> str | None:
        return status_of(described(self.client, self.stack))


def await_rest(client: Any, stack: str) -> str | None:
    """Wait for the end of what CloudFormation is doing to a stack, however long, and return its status then."""
    while standing(status := status_of(described(client, stack))) is Standing.AT_WORK:
        interruption.check()
        time.sleep(_LOOK_EVERY_S)
    return status
