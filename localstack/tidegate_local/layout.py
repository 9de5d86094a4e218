"""Where things lie: the repository, the state folder (.tidegate/) and the toolchain's cache."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tidegate_local.errors import BusyError

# The package is always installed editable (a workspace member), so its own place tells the repository's.
REPOSITORY = Path(__file__).resolve().parents[2]
CDK_CLI_PROJECT = REPOSITORY / "localstack" / "cdk-cli"
COMPOSE_FILE = REPOSITORY / "localstack" / "compose.yaml"
# What LocalStack runs inside itself when it starts, in a container or not.
INIT_SCRIPTS = REPOSITORY / "localstack" / "init"
# Shared by every state folder: what is downloaded and built here depends on the locks alone.
TOOLCHAIN = REPOSITORY / ".tidegate" / "toolchain"


@dataclass(frozen=True)
class StateFolder:
    """One local cloud's files; two folders are two clouds that run side by side."""

    path: Path

    @classmethod
    def from_environ(cls) -> "StateFolder":
        """Return the folder that TIDEGATE_STATE_DIR names, else .tidegate/ in the repository."""
        named = os.environ.get("TIDEGATE_STATE_DIR")
        return cls(Path(named).resolve() if named else REPOSITORY / ".tidegate")

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
