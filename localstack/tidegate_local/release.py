"""`tidegate release` and `tidegate rollback`: the deploy that is a release, watched; and the way back by hand."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.errors import ReleaseError
from tidegate_local.release_item import ReleaseItem, Releases
from tidegate_local.release_view import ReleaseView
from tidegate_local.state import LocalState

_LOOK_EVERY_S = 0.5
# A state that calls cold versions takes longest.
_ABORTED_WITHIN_S = 180.0
Outputs = Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Where releases happen: a stack's outputs, its stage, and clients by service."""

    outputs: Outputs
    stage: str
    client: Callable[[str], Any]

    def releases(self) -> Releases:
        """Return the reader of its releases."""
        return Releases(self.client("dynamodb"), self.outputs["TidegateTable"], self.stage)


@contextmanager
def local_place(state: LocalState) -> Iterator[Place]:
    """The local cloud that is up."""
    with ExitStack() as clients:
        # One each: whoever watches a release asks twice a second, and each client holds megabytes.
        @cache
        def client(service: str) -> Any:
            return clients.enter_context(closing(cloud.client(service, state.endpoint_url)))

        yield Place(state.outputs, "local", client)


@contextmanager
def aws_place(stage: str) -> Iterator[Place]:
    """A stage on AWS, by the environment's own credentials.

    Raises:
        ReleaseError: there is no such stack.
    """
    name: Any = "cloudformation"
    try:
        session = boto3.Session()
        stacks = session.client(name).describe_stacks(StackName=f"Tidegate-{stage}")["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise ReleaseError(
            f"The stack Tidegate-{stage} can't be read: {error}\n"
            f"Deploy it (`tidegate cdk deploy -c stage={stage}`), with credentials of its account: see `make doctor`."
        ) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    client: Any = session.client
    yield Place(outputs, stage, cache(client))


def watch(place: Place | None, deploy: Callable[[], None], view: ReleaseView) -> ReleaseItem | None:
    """Deploy, and show the release that comes of it; returns it, None if there was nothing to release.

    `place` None: the stack isn't there yet, and its first deploy has nothing to shift.

    Raises:
        ReleaseError: it was rolled back.
        LocalCloudError: the deploy failed for another reason.
    """
    before = latest(place)
    if before and before.state == "running":
        before = None  # whoever began it has died: it is shown, and ends before this one begins
    with ThreadPoolExecutor(1) as pool, view.opened():
        deploying = pool.submit(deploy)
        _follow(place, before, deploying, view)
    after = latest(place)
    released = after if after and (before is None or after.token != before.token) else None
    if released and not released.ended_well:
        raise ReleaseError(f"Rolled back. {released.reason}")
    deploying.result()
    return released


def _follow(place: Place | None, before: ReleaseItem | None, deploying: Future[None], view: ReleaseView) -> None:
    while not deploying.done():
        time.sleep(_LOOK_EVERY_S)
        now = latest(place)
        if now and (before is None or now.token != before.token):
            view.show(now)


def latest(place: Place | None) -> ReleaseItem | None:
    """Return a place's release that runs, or the last one; None: there is none, or it can't be asked just now."""
    if place is None:
        return None
    with suppress(BotoCoreError, ClientError):  # it is asked again in a moment
        return place.releases().latest()
    return None


def save_report(place: Place, release: ReleaseItem, folder: Path) -> list[Path]:
    """Write a release's report below a folder, as JSON and as a page; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, text in place.releases().report(release.token).items():
        file = folder / f"release-{place.stage}-{release.token}.{kind}"
        file.write_text(text, encoding="utf-8")
        written.append(file)
    return written


def roll_back(place: Place, version: str | None) -> dict[str, str]:
    """Give a retained version all of the traffic, at once; returns what is in force now, by function.

    `version` is the API's number; None: that which was in force before the present one. The worker goes back to the
    version that was promoted together with it. A release that runs is aborted.

    Raises:
        ReleaseError: there is no such version.
    """
    release = place.releases().latest()
    api, alias, functions = place.outputs["FunctionName"], place.outputs["AliasName"], place.client("lambda")
    now = functions.get_alias(FunctionName=api, Name=alias)["FunctionVersion"]
    past = [dict(versions) for versions in release.promotions] if release else []
    to = _chosen(past, api, now, version)
    _move(functions, alias, to)
    if place.releases().demand("abort"):
        _await_end(place.releases())
        _move(functions, alias, to)  # the release has gone back to where it came from
    return to


def _move(functions: Any, alias: str, to: Mapping[str, str]) -> None:
    try:
        for name, number in to.items():
            functions.get_function_configuration(FunctionName=name, Qualifier=number)
    except functions.exceptions.ResourceNotFoundException as error:
        raise ReleaseError(
            f"There is no such version any more: {dict(to)}. Name a later one, or none: the one before."
        ) from error
    for name, number in to.items():
        functions.update_alias(
            FunctionName=name, Name=alias, FunctionVersion=number, RoutingConfig={"AdditionalVersionWeights": {}}
        )


def _await_end(releases: Releases) -> None:
    deadline = time.monotonic() + _ABORTED_WITHIN_S
    while (release := releases.latest()) and release.state == "running":
        if time.monotonic() > deadline:
            raise ReleaseError(
                "The version is in force, but the release that runs took no notice: `tidegate release --abort` again."
            )
        time.sleep(_LOOK_EVERY_S)


def _chosen(past: list[dict[str, str]], api: str, now: str, version: str | None) -> dict[str, str]:
    """Pick the promotion to return to; a version that never was promoted is the API's alone."""
    if version is None:
        before = [versions for versions in past if int(versions.get(api, "0")) < int(now)]
        if not before:
            raise ReleaseError(f"No version was in force before {now}; name one: tidegate rollback VERSION")
        return before[-1]
    return next((versions for versions in reversed(past) if versions.get(api) == version), {api: version})
