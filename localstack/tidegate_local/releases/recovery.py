"""`tidegate release --recover`: machine, aliases and stack brought to rest, in this order, whatever died on the way."""

from collections.abc import Callable, Sequence

from tidegate_local.errors import ReleaseError
from tidegate_local.releases import advice
from tidegate_local.releases.alias_recovery import AliasRecovery
from tidegate_local.releases.machine_recovery import MachineRecovery
from tidegate_local.releases.place import Place
from tidegate_local.releases.stack_recovery import StackRecovery, await_rest
from tidegate_local.stacks.status import Standing, outcome, standing

_SERVING = frozenset({Standing.WHOLE, Standing.PAUSED, Standing.PAUSED_ON_THE_WAY_BACK})


def recover(place: Place, skip: Sequence[str], say: Callable[[str], None]) -> None:
    """Bring a place to rest, and say what was done and what to type next.

    `skip` are logical ids of resources that CloudFormation is to leave as they are.

    Raises:
        ReleaseError: a release is at work, and nothing is wrong with it.
        LocalCloudError: something is in the way; the message says what, and the way round it.
    """
    machine = MachineRecovery(place, say)
    running = machine.alive()
    if running:
        doing = f"at {running.percent:g} % ({running.phase})"
        raise ReleaseError(advice.under_way(place.stack, doing, place.stage))
    machine.replace()
    stacks, release = place.client("cloudformation"), advice.typed("release", place.stage)
    if standing(await_rest(stacks, place.stack)) in _SERVING:
        AliasRecovery(place, say).restore()  # a rollback that goes on needs them
    status = StackRecovery(stacks, place.stack, place.stage, say).recover(skip)
    say(f"{place.stack} {outcome(status)}. Next: {release}")
