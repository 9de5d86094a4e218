"""Where things lie: what the platform brings, the project, its state folder (.tidegate/) and the toolchain's cache."""

import fcntl
import os
import shutil
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tidegate_local.errors import BusyError, ProjectError

_PACKAGE = Path(__file__).parent
_SHIPPED = _PACKAGE / "platform"
# What the platform brings beside its code: a wheel has it inside (localstack/pyproject.toml), a checkout beside it.
PLATFORM = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent
CDK_CLI_PROJECT = PLATFORM / "cdk-cli"
COMPOSE_FILE = PLATFORM / "compose.yaml"
OFFICIAL_COMPOSE_FILE = PLATFORM / "compose.official.yaml"
DOCKERFILE = PLATFORM / "Dockerfile"
# What LocalStack runs inside itself when it starts, in a container or not.
INIT_SCRIPTS = PLATFORM / "init"
# The checkout that the package is installed from, editable; None: it was installed from a wheel.
CHECKOUT = None if _SHIPPED.is_dir() else _PACKAGE.parents[1]
# Names the project's folder, for whoever calls from elsewhere.
_NAMED = "TIDEGATE_PROJECT"


def project_folder() -> Path:
    """Return the folder of the project that a command is about.

    It is the one that TIDEGATE_PROJECT names, else the nearest, from the working directory upwards, whose
    pyproject.toml has [tool.tidegate], else the checkout that this package is installed from.

    Raises:
        ProjectError: there is none, or its pyproject.toml can't be read.
    """
    if named := os.environ.get(_NAMED):
        folder = Path(named).resolve()
        if not _is_project(folder):
            raise ProjectError(
                f"{_NAMED} is {named}, which has no pyproject.toml with [tool.tidegate]: write a project's folder."
            )
        return folder
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _is_project(folder):
            return folder
    if CHECKOUT is None:
        raise ProjectError(
            f"Neither {here} nor a folder above it has a pyproject.toml with [tool.tidegate]: go to a project, name it "
            f"in {_NAMED}, or make one by `tidegate new NAME`."
        )
    return CHECKOUT


def _is_project(folder: Path) -> bool:
    """Whether a folder is a project's; raises ProjectError if its pyproject.toml is broken: no other one is meant."""
    file = folder / "pyproject.toml"
    try:
        written = file.read_bytes()
    except OSError:
        return False
    try:
        tool = tomllib.loads(written.decode()).get("tool")
    except ValueError as error:
        if b"tool.tidegate" in written:
            raise ProjectError(
                f"{file} can't be read: {error}. Mend it, or name another project in {_NAMED}."
            ) from error
        return False
    return isinstance(tool, dict) and "tidegate" in tool


def toolchain_folder() -> Path:
    """Return the folder of tools, shared by a project's state folders: what is in it depends on the locks alone."""
    return project_folder() / ".tidegate" / "toolchain"


@dataclass(frozen=True)
class StateFolder:
    """One local cloud's files; two folders are two clouds that run side by side."""

    path: Path

    @classmethod
    def from_environ(cls) -> "StateFolder":
        """Return the folder that TIDEGATE_STATE_DIR names, else .tidegate/ in the project."""
        named = os.environ.get("TIDEGATE_STATE_DIR")
        return cls(Path(named).resolve() if named else project_folder() / ".tidegate")

    @property
    def state_file(self) -> Path:
        """The file that clients and tests read: URL, keys, pids."""
        return self.path / "state.json"

    @property
    def processes_file(self) -> Path:
        """What this cloud has started, written the moment that it is."""
        return self.path / "processes.json"

    @property
    def containers_file(self) -> Path:
        """The containers that this cloud has started, if its engine is one."""
        return self.path / "containers.json"

    @property
    def logs(self) -> Path:
        """Logs of Redis, the engine and CDK."""
        return self.path / "logs"

    @property
    def redis_data(self) -> Path:
        """Redis's working directory; it is told to write nothing there."""
        return self.path / "redis"

    @property
    def engine_scratch(self) -> Path:
        """TMPDIR of the engine and its functions (each worker unpacks its code here)."""
        return self.path / "tmp"

    @property
    def assembly(self) -> Path:
        """The cloud assembly of the last synth."""
        return self.path / "cdk.out"

    @property
    def open_release(self) -> Path:
        """What finishes a release around two deploys, or puts it back; there while it isn't finished."""
        return self.path / "open-release.json"

    @property
    def edge_file(self) -> Path:
        """What `tidegate dev --edge` has read of the deployed edge."""
        return self.path / "edge.json"

    @property
    def hot(self) -> Path:
        """What `tidegate watch` has swapped and what it makes of the sources; there while that is in force."""
        return self.path / "hot"

    @property
    def hot_record(self) -> Path:
        """The way back from what was swapped to what is deployed."""
        return self.hot / "record.json"

    def forget_hot(self) -> None:
        """Remove what is kept of swaps."""
        shutil.rmtree(self.hot, ignore_errors=True)


@contextmanager
def exclusive(lock_file: Path, doing: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file for the duration of the block, after waiting for it at most so many seconds.

    Raises:
        BusyError: another process holds it.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with lock_file.open("w") as handle:
        while not _locked(handle):
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"Another tidegate command is {doing} ({lock_file} is held). Wait for it to end and try again."
                )
            time.sleep(0.1)
        yield


def _locked(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
