"""How a place of releases stands: its stack, its aliases, its release; on the local cloud and on AWS."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local.errors import LocalCloudError
from tidegate_local.releases import advice
from tidegate_local.releases.alias_shares import shares
from tidegate_local.releases.item import ReleaseItem
from tidegate_local.releases.machine_recovery import MachineRecovery
from tidegate_local.releases.place import Place
from tidegate_local.stacks.description import described, status_of
from tidegate_local.stacks.status import Standing, outcome, standing

# Of an alias: somebody has deleted it.
GONE = "is gone"
_FUNCTIONS = ("FunctionName", "WorkerName")


@dataclass(frozen=True)
class Part:
    """One part of a cloud, as it is now; `well` is False if it should be otherwise, and `where` may say what to do."""

    name: str
    well: bool
    state: str
    where: str


def parts_of(place: Place) -> Iterator[Part]:
    """Look at the stack, at each alias, and at the release that runs or was the last."""
    yield _stack(place)
    running = None
    if {"TidegateTable", "ReleaseMachine"} <= set(place.outputs):
        part, running = _release(place)
        yield part
    for output in _FUNCTIONS:
        if output in place.outputs and "AliasName" in place.outputs:
            yield _alias(place, place.outputs[output], running)


def _stack(place: Place) -> Part:
    try:
        status = status_of(described(place.client("cloudformation"), place.stack))
    except LocalCloudError as error:
        return Part("stack", well=False, state="unknown", where=str(error))
    well = standing(status) in {Standing.WHOLE, Standing.AT_WORK}
    said = advice.blocked(place.stack, status, place.stage) if not well and status else place.stack
    return Part("stack", well=well, state=status or outcome(status), where=said)


def _release(place: Place) -> tuple[Part, ReleaseItem | None]:
    try:
        latest, dead = place.releases().latest(), MachineRecovery(place, lambda _: None).dead()
    except (BotoCoreError, ClientError, LocalCloudError) as error:
        return Part("release", well=False, state="unknown", where=str(error)), None
    if latest is None:
        return Part("release", well=True, state="none yet", where=""), None
    if dead:
        recover = advice.typed("release --recover", place.stage)
        return Part("release", well=False, state=f"{dead.token}: its machine died", where=f"Next: {recover}"), None
    if latest.state == "running":
        watch = advice.typed("release --watch", place.stage)
        doing = f"{latest.token}: {latest.phase}, canary {latest.percent:g} %"
        return Part("release", well=True, state=doing, where=f"See it with {watch}"), latest
    return Part("release", well=True, state=f"{latest.token}: {latest.phase}", where=latest.reason), None


def _alias(place: Place, function: str, running: ReleaseItem | None) -> Part:
    alias = place.outputs["AliasName"]
    name, functions = f"{function}:{alias}", place.client("lambda")
    recover = f"Next: {advice.typed('release --recover', place.stage)}"
    try:
        found = functions.get_alias(FunctionName=function, Name=alias)
    except functions.exceptions.ResourceNotFoundException:
        return Part(name, well=False, state=GONE, where=recover)
    except (BotoCoreError, ClientError) as error:
        return Part(name, well=False, state="unknown", where=type(error).__name__)
    well = found["FunctionVersion"].isdigit() and (running is not None or len(shares(found)) == 1)
    return Part(name, well=well, state=_split(found), where=function if well else recover)


def _split(alias: Mapping[str, Any]) -> str:
    """How an alias divides its traffic, such as "version 3 (70 %), version 4 (30 %)"."""
    divided = shares(alias)
    if len(divided) == 1:
        return f"version {alias['FunctionVersion']}"
    return ", ".join(f"version {version} ({share:.0%})" for version, share in divided.items())
