"""What the rest of the local cloud knows of an engine: how to get one, and what one is that answers."""

from dataclasses import dataclass
from typing import Literal, Protocol

from tidegate_local.layout import StateFolder
from tidegate_local.redis.server import RedisServer
from tidegate_local.registry import ManagedProcess, ProcessRegistry

# What --engine takes; and an endpoint of somebody else's.
OwnEngine = Literal["embedded", "localstack-host", "localstack"]
EngineName = OwnEngine | Literal["external"]
Software = Literal["ministack", "localstack"]
# On record in the registry, whichever engine it is: there is one at a time.
PROCESS = "engine"
PORT = 4566


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    `software` and `version` are what its health says; `process` is None if it is no process of ours, and `redis` is
    the Redis that it brings along, if any. `contained` if it, and so its functions, are containers.
    """

    name: EngineName
    software: Software
    url: str
    version: str
    process: ManagedProcess | None = None
    redis: RedisServer | None = None
    contained: bool = False

    @property
    def title(self) -> str:
        """Its name for people, with its version."""
        return f"{'MiniStack' if self.software == 'ministack' else 'LocalStack'} {self.version}"


class EngineKind(Protocol):
    """A way to have an engine."""

    @property
    def name(self) -> EngineName:
        """What --engine calls it."""

    def preparing(self, folder: StateFolder) -> str | None:
        """Say what `ensure` has to install first, and about how long that takes; None: nothing."""

    def ensure(self, folder: StateFolder, registry: ProcessRegistry) -> Engine:
        """Return it running; one of its make that runs already is reused, one of another is stopped.

        Raises:
            LocalCloudError: it can't be had here, or didn't start; the message says why.
        """
