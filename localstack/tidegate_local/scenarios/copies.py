"""Changed copies of the repository, in force for a while; the working tree is never touched, and is back afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidegate_local import interruption
from tidegate_local.errors import ScenarioError
from tidegate_local.layout import StateFolder
from tidegate_local.lifecycle.up import bring_up
from tidegate_local.scenarios.clone import Clone
from tidegate_local.state import LocalState

AT_ONCE = {"strategy": "all-at-once"}


@contextmanager
def copy(folder: StateFolder) -> Iterator[Clone]:
    """Copy the repository for the duration of the block; what the copy deploys goes to the folder's cloud."""
    with tempfile.TemporaryDirectory() as scratch:
        yield Clone.at(Path(scratch, "copy"), {"TIDEGATE_STATE_DIR": str(folder.path)})


@contextmanager
def own_version_afterwards(folder: StateFolder) -> Iterator[None]:
    """Deploy the working tree after the block, however it ends; nothing is done if that is in force."""
    try:
        yield
    finally:
        # Who interrupts the block still wants his own version; who does it again, gets his way.
        interruption.forget()
        bring_up(folder, way=AT_ONCE)


def deploy(clone: Clone, folder: StateFolder) -> LocalState:
    """Deploy a copy at once; returns the state of the cloud.

    Raises:
        ScenarioError: it can't be deployed.
    """
    status, printed = clone.tidegate("release", "--strategy", "all-at-once")
    if status:
        raise ScenarioError(f"The changed copy can't be deployed. `tidegate release` said:\n{printed}")
    return LocalState.require(folder.state_file)
