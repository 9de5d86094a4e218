"""Whether a stack takes a deploy now; asked before CDK is, whose answer comes late and says little."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local.errors import DeploymentError
from tidegate_local.releases import advice
from tidegate_local.releases.item import ReleaseItem, Releases
from tidegate_local.releases.machine_recovery import MachineRecovery
from tidegate_local.releases.place import Place
from tidegate_local.releases.stack_recovery import await_rest
from tidegate_local.stacks.description import Description, described, outputs_of, status_of
from tidegate_local.stacks.status import Standing, needs_recovery, standing

Clients = Callable[[str], Any]


def require_deployable(clients: Clients, stack: str, stage: str, say: Callable[[str], None]) -> None:
    """See that a stack takes a deploy; what CloudFormation is about to finish is waited for.

    Args:
        clients: boto3 clients, by service.
        stack: its name.
        stage: whose stack it is.
        say: is told what is waited for.

    Raises:
        DeploymentError: it takes none; the message says the way out.
    """
    found = described(clients("cloudformation"), stack)
    if standing(status_of(found)) is Standing.AT_WORK:
        running = release_under_way(clients, found, stage)
        if running and MachineRecovery(Place(outputs_of(found), stage, clients), say).dead():
            raise DeploymentError(advice.machine_died(running.token, stage))
        if running:
            raise DeploymentError(advice.under_way(stack, f"at {running.percent:g} % ({running.phase})", stage))
        say(f"CloudFormation is at work on {stack} ({status_of(found)}): waiting for its end.")
        await_rest(clients("cloudformation"), stack)
        found = described(clients("cloudformation"), stack)
    if needs_recovery(status_of(found), protected=is_protected(found)):
        raise DeploymentError(advice.blocked(stack, status_of(found), stage))


def release_under_way(clients: Clients, found: Description | None, stage: str) -> ReleaseItem | None:
    """Return the release that runs on a stack, as far as it can be known."""
    table = outputs_of(found).get("TidegateTable")
    if table is None:
        return None
    with suppress(BotoCoreError, ClientError):  # what can't be asked doesn't stand in the way
        latest = Releases(clients("dynamodb"), table, stage).latest()
        return latest if latest and latest.state == "running" else None
    return None


def is_protected(found: Description | None) -> bool:
    """Whether CloudFormation refuses to delete a stack."""
    return bool(found and found.get("EnableTerminationProtection"))
