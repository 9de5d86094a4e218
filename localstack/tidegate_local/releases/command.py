"""What `tidegate release` does: deploy, watch, and leave the report in .tidegate/reports; or see to one that runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from tidegate_local import interruption, toolchain
from tidegate_local.deployment import aws_deploy
from tidegate_local.engines import health
from tidegate_local.errors import DeploymentError, LocalCloudError, ReleaseError
from tidegate_local.layout import StateFolder
from tidegate_local.progress import Steps
from tidegate_local.releases import advice, recovery, report
from tidegate_local.releases import watch as release_watch
from tidegate_local.releases.deployable import is_protected, release_under_way, require_deployable
from tidegate_local.releases.item import ReleaseItem
from tidegate_local.releases.place import Place, aws_place, latest, local_place
from tidegate_local.releases.stack_recovery import await_rest
from tidegate_local.releases.view import ReleaseView
from tidegate_local.stacks import events as stack_events
from tidegate_local.stacks.description import described, status_of
from tidegate_local.stacks.status import Standing, needs_recovery, outcome, standing
from tidegate_local.state import LocalState

# How long an engine that is up may take to say so.
_PATIENCE_S = 5.0


def run(stage: str, way: Mapping[str, str], console: Console, bring_up: Callable[..., object]) -> None:
    """Release what changed, and say how it ended.

    Whoever interrupts it leaves at once: what CloudFormation and the machine have begun goes on, and that is said.
    `bring_up` (of lifecycle/up.py) is how a local cloud is deployed to.

    Raises:
        LocalCloudError: it was rolled back, or the deploy failed otherwise; the reason is the end of the message.
    """
    folder = StateFolder.from_environ()
    with ExitStack() as places:
        place = _place(stage, folder, places)
        try:
            if place is None:
                console.print("No cloud is up, and so there is nothing to shift: it is brought up.")
                bring_up(folder, steps=Steps(console), way=way)
                return
            if stage == "local":
                deploy: Callable[[], object] = partial(bring_up, folder, steps=Steps(quiet=True), way=way)
            else:
                deploy = partial(_deploy, place, way, console)
            released = release_watch.watch(place, deploy, ReleaseView(console))
        except ReleaseError as error:
            _report(place, folder, console)
            raise ReleaseError("\n".join(filter(None, [str(error), _after(place)]))) from error
        except KeyboardInterrupt:
            interruption.forget()  # the next one ends what is said here
            _say_what_goes_on(place, console)
            raise
        _tell(released, console)
        if released:
            _report(place, folder, console)


def watch(place: Place, folder: StateFolder, console: Console) -> None:
    """Show the release that runs until its end and its stack's, or how the last one ended.

    Raises:
        ReleaseError: it was rolled back.
        DeploymentError: it left the stack half-way.
    """
    ended = release_watch.follow(place, ReleaseView(console)) if "TidegateTable" in place.outputs else None
    stacks = place.client("cloudformation")
    if standing(status_of(described(stacks, place.stack))) is Standing.AT_WORK:
        console.print(f"CloudFormation is at work on {place.stack}: waiting for its end.", soft_wrap=True)
    await_rest(stacks, place.stack)
    found = described(stacks, place.stack)
    if needs_recovery(status_of(found), protected=is_protected(found)):
        said = f"Rolled back. {ended.reason}" if ended and not ended.ended_well else None
        blocked = advice.blocked(place.stack, status_of(found), place.stage)
        raise DeploymentError("\n".join(filter(None, [said, blocked])))
    if folder.open_release.exists() and place.stage == "local":
        console.print("`make up` finishes the deploy around it, or puts it back.")
    if ended is None:
        console.print(f"{place.stack} {outcome(status_of(found))}; nothing was released there yet.", soft_wrap=True)
        return
    if not ended.ended_well:
        raise ReleaseError("\n".join(filter(None, [f"Rolled back. {ended.reason}", _after(place)])))
    _tell(ended, console)


def recover(place: Place, skip: Sequence[str], console: Console) -> None:
    """Bring a place to rest whose stack, machine or aliases were left half-way.

    Raises:
        LocalCloudError: something is in the way; the message says what.
    """
    recovery.recover(place, skip, lambda line: console.print(line, soft_wrap=True, highlight=False, markup=False))


@contextmanager
def place_of(stage: str) -> Iterator[Place]:
    """Find where a stage's releases happen.

    Raises:
        LocalCloudError: there is no such stack, or no cloud is up.
    """
    if stage != "local":
        with aws_place(stage) as place:
            yield place
        return
    with local_place(LocalState.require(StateFolder.from_environ().state_file)) as place:
        yield place


def _place(stage: str, folder: StateFolder, places: ExitStack) -> Place | None:
    if stage != "local":
        return places.enter_context(aws_place(stage))
    state = LocalState.read(folder.state_file)
    # An engine that went, with a restart of the machine say, took its stacks with it.
    if state is None or isinstance(health.ask(state.endpoint_url, _PATIENCE_S), str):
        return None
    return places.enter_context(local_place(state))


def _deploy(place: Place, way: Mapping[str, str], console: Console) -> None:
    require_deployable(place.client, place.stack, place.stage, console.print)
    began = datetime.now(UTC).replace(microsecond=0)
    if aws_deploy.release(toolchain.ensure(), place.stage, way, console):
        events = stack_events.read(place.client("cloudformation"), place.stack, since=began)
        failed = "`cdk deploy` failed; what it said is above."
        raise DeploymentError("\n".join(filter(None, [failed, stack_events.cause(events), _after(place)])))


def _after(place: Place | None) -> str | None:
    """Say what to type after a failure; None: the stack can't be asked."""
    if place is None:
        return None
    with suppress(LocalCloudError):
        found = described(place.client("cloudformation"), place.stack)
        return advice.after_failure(place.stack, status_of(found), place.stage, protected=is_protected(found))
    return None


def _say_what_goes_on(place: Place | None, console: Console) -> None:
    if place is None:
        console.print("What CloudFormation has begun goes on. Next: `make up`, which takes it from there.")
        return
    with suppress(LocalCloudError, BotoCoreError, ClientError):  # an engine that this command had started is gone
        found = described(place.client("cloudformation"), place.stack)
        running = release_under_way(place.client, found, place.stage)
        token = running.token if running else None
        said = advice.after_leaving(place.stack, status_of(found), place.stage, token)
        console.print(said, soft_wrap=True, highlight=False)


def _tell(released: ReleaseItem | None, console: Console) -> None:
    told = released.reason if released else "Deployed; there was nothing to shift."
    console.print(told, soft_wrap=True, highlight=False, markup=False)


def _report(place: Place | None, folder: StateFolder, console: Console) -> None:
    last = latest(place)
    if place and last:
        for file in report.save(place, last, folder.path / "reports"):
            console.print(f"Report: {file}", soft_wrap=True, highlight=False)
