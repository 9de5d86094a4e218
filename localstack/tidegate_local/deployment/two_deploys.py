"""A release on an engine without custom resources: the same state machine, between two deploys.

The first deploy publishes the new versions, and the aliases stay where they are. Then the machine runs as
CloudFormation would have it run. If it promotes, the second deploy has the template name what is in force already; if
not, the former template is put back. In the template an alias never has weights.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.deployment.deployer import Deployer, Stack
from tidegate_local.deployment.open_release import OpenRelease
from tidegate_local.deployment.release_machine import Ending, Machine, Order, order_of
from tidegate_local.errors import DeploymentError, ReleaseError
from tidegate_local.releases.stage_names import local_stack
from tidegate_local.stacks.template import StackTemplate, followed, live_versions


@dataclass(frozen=True)
class TwoDeploys:
    """Releases the stack of one cloud; `file` is there from before the first deploy until after the second."""

    deployer: Deployer
    template: StackTemplate
    machine: Machine
    file: Path
    say: Callable[[str], None]

    def deploy(self, context: Mapping[str, str]) -> Stack:
        """Deploy what changed as a release, after a former one that was left open is finished or put back.

        Raises:
            ReleaseError: it was rolled back; what was deployed before is deployed again.
            LocalCloudError: it failed for another reason; the next call finishes it or puts it back.
        """
        try:
            self._close_former()
            return self._deploy(context)
        except (BotoCoreError, ClientError) as error:
            raise DeploymentError(
                f"The engine at {self.deployer.endpoint_url} failed in the middle of a release ({error}). Run the "
                "command again: it finishes the release or puts it back."
            ) from error

    def _close_former(self) -> None:
        """Finish what somebody left open: see its machine to its end, or put the template back if it never ran."""
        opened = OpenRelease.read(self.file)
        if opened is None:
            return
        self.template.await_rest()
        if not opened.concerns(self.deployer.endpoint_url, self.template.identity()):
            self.file.unlink()
            return
        self.say("A release was left open: its machine is seen to its end, or it is put back.")
        stack = self.deployer.current()
        ended = self.machine.ending(order_of(stack.outputs), opened.id) if stack else None
        ending = ended or Ending(well=False, reason="It never began.")
        self._close(opened, ending)
        self.say(ending.reason)

    def _deploy(self, context: Mapping[str, str]) -> Stack:
        opened = self._open()
        try:
            with self._aliases_held(opened.order):
                stack = self.deployer.deploy({**context, **_former(opened)})
        except DeploymentError:
            self._put_back(opened)
            raise
        ending = self._released(opened, order_of(stack.outputs))
        self._close(opened, ending)
        if not ending.well:
            raise ReleaseError(f"Rolled back. {ending.reason}")
        return self.deployer.current() or stack

    def _open(self) -> OpenRelease:
        former = self.deployer.current()
        opened = OpenRelease(
            id=f"release-{uuid.uuid4()}",
            engine=self.deployer.endpoint_url,
            stack=self.template.identity(),
            template=self.template.read() if former else None,
            order=order_of(former.outputs) if former else None,
        )
        opened.write(self.file)
        return opened

    def _released(self, opened: OpenRelease, order: Order) -> Ending:
        if order == opened.order:
            return Ending(well=True, reason="Nothing to release.")
        said = self.machine.begin("Update" if opened.order else "Create", order, opened.id)
        if said is not None:
            return Ending(well=True, reason=said)
        ended = self.machine.ending(order, opened.id)
        if ended is None:
            raise DeploymentError("The release was started, and the engine knows nothing of it. Run the command again.")
        return ended

    def _close(self, opened: OpenRelease, ending: Ending) -> None:
        if not ending.settled and opened.order:
            # The machine died. Whoever deploys the former versions gets them at once, and its lock is free.
            self.machine.begin("Update", opened.order, f"{opened.id}-back")
        if not ending.well:
            self._put_back(opened)
            return
        template = self.template.read()
        if template is not None:
            with self._aliases_held(opened.order):
                self.template.replace(followed(template))
        self.file.unlink()

    def _put_back(self, opened: OpenRelease) -> None:
        if opened.template:
            with self._aliases_held(opened.order):
                self.template.replace(opened.template)
        elif opened.stack is None and self.template.identity() is not None:
            self.template.delete()  # a first deploy that failed leaves nothing, as on other engines
        self.file.unlink()

    @contextmanager
    def _aliases_held(self, order: Order | None) -> Iterator[None]:
        """See that a deploy moves no alias: the machine alone does. A stack's status proves little on LocalStack.

        Raises:
            DeploymentError: one was moved, or lost.
        """
        before = self.machine.in_force(order) if order else {}
        yield
        after = self.machine.in_force(order) if order else {}
        if after != before:
            raise DeploymentError(
                f"The deploy changed the aliases from {before} to {after} (version, and whether it is all). Is this "
                "LocalStack 4.14.0, with the scripts of localstack/init? `make down && make up` starts anew."
            )


@contextmanager
def two_deploys(deployer: Deployer, say: Callable[[str], None]) -> Iterator[TwoDeploys]:
    """Put it together for one engine."""
    url = deployer.endpoint_url
    with (
        closing(cloud.client("cloudformation", url)) as stacks,
        closing(cloud.client("lambda", url)) as functions,
        closing(cloud.client("stepfunctions", url)) as states,
    ):
        machine = Machine(functions, states)
        yield TwoDeploys(deployer, StackTemplate(stacks, local_stack()), machine, deployer.folder.open_release, say)


def _former(opened: OpenRelease) -> dict[str, str]:
    """Tell CDK which versions the aliases stay at."""
    if opened.template is None:
        return {}
    versions = live_versions(opened.template)
    return {"former": ",".join(f"{function}:{version}" for function, version in versions.items())}
