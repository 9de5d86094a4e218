"""The embedded engine as the place of a rehearsal: every step that it can do, by the same code as on AWS."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from tidegate_local import cloud
from tidegate_local.errors import ProofError, StateError
from tidegate_local.layout import StateFolder, project_folder
from tidegate_local.lifecycle.down import take_down
from tidegate_local.lifecycle.up import bring_up
from tidegate_local.progress import Steps
from tidegate_local.prove.outcome import NotRunError
from tidegate_local.prove.stack_end import destroy
from tidegate_local.registry import ProcessRegistry
from tidegate_local.releases.place import Place, local_place
from tidegate_local.releases.stage_names import local_stack
from tidegate_local.scenarios import demo, redis_down
from tidegate_local.scenarios.faults import RedisFaults
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Report
from tidegate_local.state import LocalState

# A rehearsal shows that the steps work; how long clients of AWS wait is not to be learnt here.
_EXTENT = redis_down.Extent(quiet_s=1, fault_s=1, between_s=0.5, brief=True, environments=8)
_PAUSE_S = 0.1


class EngineSite:
    """A local cloud of its own, in a state folder that nobody else has; it goes with the rehearsal."""

    name = "embedded engine"
    stage = "local"
    # It has the machine to itself only at night: what it can't answer in time would be taken for a release's fault.
    requests_per_s = 6.0
    timed = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cloud = StateFolder(folder)
        self.environ: Mapping[str, str] = {"TIDEGATE_STATE_DIR": str(folder)}
        self._engine = ""

    @property
    def state(self) -> LocalState:
        """The deployed API."""
        try:
            return LocalState.require(self._cloud.state_file)
        except StateError as error:
            raise ProofError(f"The rehearsal's cloud isn't up: {error}") from error

    def about(self) -> dict[str, str]:
        """Say which engine and which Redis it is."""
        return {"place": self.name, "engine": self._engine or "not started"}

    def preflight(self) -> str:
        """Ask `tidegate doctor` about this machine."""
        return doctor(self.environ)

    def deploy(self) -> str:
        """Start the engine and a Redis, and deploy."""
        state = bring_up(self._cloud, engine="embedded", steps=Steps(Console(stderr=True), quiet=True))
        self._engine = f"{state.software} {state.versions['engine']}, {state.versions['redis']}"
        return f"stack {local_stack()} on {self._engine}"

    def place(self) -> AbstractContextManager[Place]:
        """Open where its releases are."""
        return local_place(self.state)

    def client(self, service: str) -> Any:
        """Make a client of the engine."""
        return cloud.client(service, self.state.endpoint_url)

    def zone_cut(self) -> AbstractContextManager[None]:
        """Refuse: no zone, no FIS."""
        raise NotRunError("the embedded engine has neither zones nor AWS FIS, and its Redis has no replica")

    def cache_cut(self) -> AbstractContextManager[None]:
        """Refuse: no subnet, no FIS."""
        raise NotRunError("the embedded engine has neither subnets nor AWS FIS; fault-demo breaks its Redis itself")

    def demo(self) -> Report:
        """Play the demo, in short."""
        return redis_down.play(Play(self.state), demo.of_project(), RedisFaults(self._cloud), _EXTENT)

    def destroy(self) -> str:
        """Delete the stack as on AWS, then stop the engine."""
        deleted = False
        try:
            with suppress(ProofError):
                state = self.state
                destroy(lambda service: cloud.client(service, state.endpoint_url), local_stack(), _briefly)
                deleted = True
        finally:
            stopped = take_down(self._cloud)
        if left := [process.name for process in ProcessRegistry(self._cloud.processes_file).all()]:
            raise ProofError(f"These processes are left: {', '.join(left)}")
        if not stopped:
            return "nothing was deployed"
        return f"stopped {', '.join(stopped)}" + (f"; stack {local_stack()} deleted before" if deleted else "")


def doctor(environ: Mapping[str, str], *words: str) -> str:
    """Run `tidegate doctor`, and tell the end of what it says if it found a failure.

    Raises:
        ProofError: it found one.
    """
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "tidegate_local", "doctor", *words],
        cwd=project_folder(),
        env={**os.environ, **environ, "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = f"tidegate doctor{''.join(f' {word}' for word in words)}"
    if done.returncode:
        raise ProofError(f"`{said}` ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return f"`{said}` found no failure"


def _briefly(_seconds: float) -> None:
    time.sleep(_PAUSE_S)  # the engine is done in a moment
