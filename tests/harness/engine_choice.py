"""Which engine the tests that need a cloud run on: TIDEGATE_TEST_ENGINE, which `make test ENGINE=...` sets."""

from __future__ import annotations

import os
import subprocess
from ipaddress import ip_network

from tests.harness.redis_server import RedisServer

VARIABLE = "TIDEGATE_TEST_ENGINE"
ENGINE = os.environ.get(VARIABLE) or "embedded"
# The words that `tidegate up` takes for it.
CHOICE = ("--engine", ENGINE)


def redis_for_functions() -> RedisServer:
    """Return a Redis, not started yet, at an address where this machine and the engine's functions reach it."""
    if ENGINE != "localstack":
        return RedisServer()
    asked = ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}"]
    subnet = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    # The bridge's own address is this machine's; a Redis without a password takes none but loopback's by default.
    return RedisServer("protected-mode no", host=str(next(ip_network(subnet).hosts())))
