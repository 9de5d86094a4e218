"""LocalStack and Redis as containers, by localstack/compose.yaml."""

import os

from tidegate_local.engines import containers, docker, health, image
from tidegate_local.engines.containers import Containers
from tidegate_local.engines.engine import PROCESS, Engine, EngineName
from tidegate_local.errors import StartError
from tidegate_local.layout import StateFolder
from tidegate_local.redis import server as redis_server
from tidegate_local.redis.server import RedisServer
from tidegate_local.registry import ProcessRegistry

_PATIENCE_S = 5.0
# Where the functions, which are containers of the same network, reach Redis.
_INNER_REDIS = "redis://redis:6379/0"


class LocalStack:
    """LocalStack 4.14.0 in an image of ours, or the image that LOCALSTACK_IMAGE and LOCALSTACK_AUTH_TOKEN say."""

    name: EngineName = "localstack"

    def preparing(self, folder: StateFolder) -> str | None:
        """Its image, the first time.

        Raises:
            ToolMissingError: there is no Docker, or it doesn't run.
        """
        docker.require()
        run = containers.wanted(folder)
        if run.official:
            return "Docker fetches LocalStack's image if it isn't there: a gigabyte, once."
        return None if image.is_built(run.base) else "Building LocalStack's image, 0.7 GB: some minutes, once."

    def ensure(self, folder: StateFolder, registry: ProcessRegistry) -> Engine:
        """Return it running, with its Redis unless REDIS_URL names one.

        Raises:
            ToolMissingError: there is no Docker, or it doesn't run, or the image could not be built.
            StartError: the containers didn't come up, or the init scripts failed.
        """
        docker.require()
        registry.stop(PROCESS)
        run = containers.wanted(folder)
        given = bool(os.environ.get("REDIS_URL"))
        run.up(folder, redis=not given)
        found = health.ready(run.engine_url, _PATIENCE_S)
        if isinstance(found, str):
            raise StartError(f"LocalStack's container runs, but is not ready: {found}. Look at it: docker ps -a")
        redis = None if given else _redis(run)
        return Engine(self.name, found.software, run.engine_url, found.version, redis=redis, contained=True)


def _redis(run: Containers) -> RedisServer:
    version = redis_server.version(run.redis_url)
    if version is None:
        raise StartError(f"Redis' container runs, but does not answer at {run.redis_url}. Look at it: docker ps -a")
    return RedisServer(run.redis_url, version, None, inner_url=_INNER_REDIS)
