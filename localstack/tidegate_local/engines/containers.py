"""The containers of a cloud: `docker compose` with a project of its own, on record before it starts anything."""

import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from tidegate_local import ports
from tidegate_local.errors import StartError, ToolMissingError, log_tail
from tidegate_local.files import write_atomically
from tidegate_local.layout import COMPOSE_FILE, StateFolder
from tidegate_local.processes import CommandError, run_logged

# The last one that runs without an account.
_IMAGE = "localstack/localstack:4.14.0"
_LATEST_IMAGE = "localstack/localstack:latest"
_INSTEAD = "Without Docker the same LocalStack runs as a process: make up ENGINE=localstack-host"


@dataclass(frozen=True)
class Containers:
    """A compose project, and the loopback ports at which its LocalStack and its Redis are published."""

    project: str
    engine_port: int
    redis_port: int

    @classmethod
    def fresh(cls, folder: StateFolder, engine_port: int, redis_port: int) -> "Containers":
        """Return what a state folder's project is to be."""
        return cls(f"tidegate-{sha256(str(folder.path).encode()).hexdigest()[:8]}", engine_port, redis_port)

    @property
    def engine_url(self) -> str:
        """Where LocalStack answers."""
        return f"http://{ports.LOOPBACK}:{self.engine_port}"

    @property
    def redis_url(self) -> str:
        """Where Redis answers, from here."""
        return f"redis://{ports.LOOPBACK}:{self.redis_port}/0"

    def environment(self) -> dict[str, str]:
        """What the compose file is filled in with."""
        image = _LATEST_IMAGE if os.environ.get("LOCALSTACK_AUTH_TOKEN") else _IMAGE
        return {
            "LOCALSTACK_IMAGE": os.environ.get("LOCALSTACK_IMAGE") or image,
            "TIDEGATE_ENGINE_PORT": str(self.engine_port),
            "TIDEGATE_REDIS_PORT": str(self.redis_port),
            "TIDEGATE_NETWORK": self.project,
        }

    def up(self, folder: StateFolder) -> None:
        """Start what doesn't run, and wait until all of it is healthy.

        Raises:
            StartError: something isn't; the message has the end of what Docker said.
        """
        write_atomically(folder.containers_file, asdict(self))
        self._compose(folder, "up", "--detach", "--wait")

    def down(self, folder: StateFolder) -> None:
        """Remove the containers, their network and their volumes, and forget them.

        Raises:
            ToolMissingError: Docker has gone.
            StartError: Docker refused.
        """
        require_docker()
        self._compose(folder, "down", "--volumes", "--remove-orphans")
        folder.containers_file.unlink(missing_ok=True)

    def _compose(self, folder: StateFolder, *words: str) -> None:
        log = folder.logs / "docker.log"
        command = [_docker(), "compose", "--project-name", self.project, "--file", str(COMPOSE_FILE), *words]
        try:
            run_logged(command, env={**os.environ, **self.environment()}, log=log, cwd=COMPOSE_FILE.parent)
        except CommandError as error:
            raise StartError(
                f"`docker compose {words[0]}` failed. The end of its log, {log_tail(log)}\n{_INSTEAD}"
            ) from error


def recorded(folder: StateFolder) -> Containers | None:
    """Return what runs, or was about to; None: nothing, or nothing of this version."""
    try:
        return Containers(**json.loads(folder.containers_file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def stop(folder: StateFolder) -> bool:
    """Stop a folder's containers; False if there are none on record."""
    run = recorded(folder)
    if run:
        run.down(folder)
    return run is not None


def require_docker() -> None:
    """Make sure that there is a Docker that runs, with its compose plugin.

    Raises:
        ToolMissingError: there isn't; the message says what is missing.
    """
    for words, missing in (
        (("version",), "Docker is installed, but no Docker engine answers."),
        (("compose", "version"), "Docker is there, but its compose plugin is not."),
    ):
        said = subprocess.run([_docker(), *words], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
        if said.returncode:
            reason = (said.stderr.strip() or said.stdout.strip()).splitlines()[:1]
            raise ToolMissingError(f"{missing} {''.join(reason)}\n{_INSTEAD}")


def _docker() -> str:
    found = shutil.which("docker")
    if found is None:
        raise ToolMissingError(f"ENGINE=localstack needs Docker, which is not on PATH.\n{_INSTEAD}")
    return str(Path(found))
