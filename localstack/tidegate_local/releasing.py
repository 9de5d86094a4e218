"""What `tidegate release` does: deploy, watch, and leave the report in .tidegate/reports."""

from collections.abc import Mapping
from contextlib import ExitStack

from rich.console import Console

from tidegate_local import release, toolchain
from tidegate_local.errors import DeploymentError, ReleaseError
from tidegate_local.layout import StateFolder
from tidegate_local.progress import Steps
from tidegate_local.release import Place
from tidegate_local.release_view import ReleaseView
from tidegate_local.state import LocalState
from tidegate_local.up import bring_up


def run(stage: str, way: Mapping[str, str], console: Console) -> None:
    """Release what changed, and say how it ended.

    Raises:
        LocalCloudError: it was rolled back, or the deploy failed otherwise.
    """
    folder = StateFolder.from_environ()
    with ExitStack() as places:
        place = _place(stage, folder, places)
        try:
            released = release.watch(place, lambda: _deploy(stage, way, folder), ReleaseView(console))
        except ReleaseError:
            _report(place, folder, console)
            raise
        if released is None:
            console.print("Deployed; there was nothing to shift.")
            return
        console.print(released.reason, soft_wrap=True, highlight=False, markup=False)
        _report(place, folder, console)


def _place(stage: str, folder: StateFolder, places: ExitStack) -> Place | None:
    if stage != "local":
        return places.enter_context(release.aws_place(stage))
    state = LocalState.read(folder.state_file)
    return places.enter_context(release.local_place(state)) if state else None


def _deploy(stage: str, way: Mapping[str, str], folder: StateFolder) -> None:
    if stage == "local":
        bring_up(folder, steps=Steps(quiet=True), way=way)
        return
    context = [word for name, value in {"stage": stage, **way}.items() for word in ("-c", f"{name}={value}")]
    if toolchain.ensure().run_cdk(["deploy", "--all", *context, "--require-approval", "never"]):
        raise DeploymentError("`cdk deploy` failed; what it said is above.")


def _report(place: Place | None, folder: StateFolder, console: Console) -> None:
    latest = place.releases().latest() if place else None
    if place and latest:
        for file in release.save_report(place, latest, folder.path / "reports"):
            console.print(f"Report: {file}", soft_wrap=True, highlight=False)
