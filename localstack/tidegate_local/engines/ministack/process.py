"""The engine as a process: MiniStack with our five amendments, on a socket that the parent has bound.

Run as `python -m tidegate_local.engines.ministack.process`, with the listening socket as file descriptor 3. The parent
binds it, so nobody can take the port between its choice and its use. GATEWAY_PORT must name the same port:
MiniStack tells its functions that address.
"""

import asyncio
import resource
from contextlib import suppress

from hypercorn.asyncio import serve
from hypercorn.config import Config

from tidegate_local.engines.ministack import log_drain, published_once, unpacked_once, version_metrics, weighted_aliases
from tidegate_local.ports import ENGINE_SOCKET


def main() -> None:
    """Serve until SIGTERM."""
    # MiniStack reads its environment and configures logging at import, so only here.
    from ministack.app import app  # noqa: PLC0415 - see the comment above

    weighted_aliases.install()
    log_drain.install()
    unpacked_once.install()
    published_once.install()
    version_metrics.install()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A burst takes one connection per client and three pipes per function process. macOS refuses its own
    # "unlimited"; then the soft limit has to do.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    config = Config()
    config.bind = [f"fd://{ENGINE_SOCKET}"]
    config.keep_alive_timeout = 75
    # Functions keep their connections to the engine open; waiting for them at the end has no use.
    config.graceful_timeout = 0.2
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main()
