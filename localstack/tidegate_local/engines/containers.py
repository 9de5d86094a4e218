"""The containers of a cloud: `docker compose` with a project of its own, on record before it starts anything."""

import json
import os
from dataclasses import asdict, dataclass, replace
from hashlib import sha256

from tidegate_local import ports
from tidegate_local.engines import docker, image
from tidegate_local.engines.engine import PORT
from tidegate_local.errors import StartError, log_tail
from tidegate_local.files import write_atomically
from tidegate_local.layout import COMPOSE_FILE, OFFICIAL_COMPOSE_FILE, StateFolder
from tidegate_local.processes import CommandError, run_logged

# What an account's token is for.
_OFFICIAL_IMAGE = "localstack/localstack:latest"
# LocalStack's image has no server.
_REDIS_OF_ITS_OWN = "redis:7.4-alpine"


@dataclass(frozen=True)
class Containers:
    """A compose project, the loopback ports at which its LocalStack and its Redis are published, and their image.

    `base` is the Debian that our image is built on ("": that of Docker's registry), `official` the image of
    LocalStack's own that is taken instead ("": none is).
    """

    project: str
    engine_port: int
    redis_port: int
    base: str = ""
    official: str = ""

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
        """What the compose files are filled in with."""
        localstack = self.official or image.name(self.base)
        return {
            "LOCALSTACK_IMAGE": localstack,
            "TIDEGATE_REDIS_IMAGE": _REDIS_OF_ITS_OWN if self.official else localstack,
            "TIDEGATE_ENGINE_PORT": str(self.engine_port),
            "TIDEGATE_REDIS_PORT": str(self.redis_port),
            "TIDEGATE_NETWORK": self.project,
        }

    def up(self, folder: StateFolder, *, redis: bool) -> None:
        """Start what doesn't run, and wait until all of it is healthy; `redis` says whether that is wanted, too.

        Raises:
            ToolMissingError: the image could not be built.
            StartError: something isn't healthy; the message has the end of what Docker said.
        """
        if not self.official:
            image.ensure(folder.logs / "image.log", self.base)
        # A shell without LOCALSTACK_AUTH_TOKEN would replace an account's LocalStack by one that has none.
        kept = ["--no-recreate"] if self.official and recorded(folder) == self else []
        write_atomically(folder.containers_file, asdict(self))
        services = ["localstack", *(["redis"] if redis else [])]
        self._compose(folder, docker.INSTEAD, "up", "--detach", "--wait", *kept, *services)

    def down(self, folder: StateFolder) -> None:
        """Remove the containers, their network and their volumes, and forget them.

        Raises:
            ToolMissingError: Docker has gone.
            StartError: Docker refused.
        """
        # Another engine is no way out: it starts only where these are gone.
        instead = (
            "This cloud's containers are on record: start Docker, and run the command again. If Docker is gone for "
            f"good, they are, too: remove {folder.containers_file}."
        )
        docker.require(instead)
        self._compose(folder, instead, "down", "--volumes", "--remove-orphans")
        folder.containers_file.unlink(missing_ok=True)

    def _compose(self, folder: StateFolder, instead: str, *words: str) -> None:
        log = folder.logs / "docker.log"
        files = [COMPOSE_FILE, *([OFFICIAL_COMPOSE_FILE] if self.official else [])]
        named = [word for file in files for word in ("--file", str(file))]
        command = [docker.program(), "compose", "--project-name", self.project, *named, *words]
        try:
            run_logged(command, env={**os.environ, **self.environment()}, log=log, cwd=COMPOSE_FILE.parent)
        except CommandError as error:
            raise StartError(
                f"`docker compose {words[0]}` failed. The end of its log, {log_tail(log)}\n{instead}"
            ) from error


def wanted(folder: StateFolder) -> Containers:
    """Return what a state folder's project is to be: as it is on record, but for what the environment asks for."""
    # Whoever releases to a cloud that is up means that one, though his shell doesn't say again what it was made of.
    run = recorded(folder) or Containers.fresh(folder, ports.free_port(PORT), ports.free_port())
    asked = os.environ.get("LOCALSTACK_IMAGE") or (_OFFICIAL_IMAGE if os.environ.get("LOCALSTACK_AUTH_TOKEN") else "")
    return replace(run, base=os.environ.get(image.BASE) or run.base, official=asked or run.official)


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
