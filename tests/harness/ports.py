"""Loopback ports that nobody has, and that nobody gets by chance while their server is down."""

import random
import socket

_SEED = random.SystemRandom()
# Below the kernel's ephemeral range: a dead server's port can't become some connection's source port, and a
# client that retries it can't connect to itself. The cluster bus, 10,000 above, is still below that range.
_LOWEST, _HIGHEST = 11_000, 22_000
_BUS_OFFSET = 10_000


def free_port(*, with_bus: bool = False) -> int:
    """A loopback port that is free now; `with_bus`: and so is its Redis Cluster bus port."""
    for _ in range(200):
        port = _SEED.randrange(_LOWEST, _HIGHEST)
        if _is_free(port) and (not with_bus or _is_free(port + _BUS_OFFSET)):
            return port
    raise RuntimeError(f"No free loopback port found between {_LOWEST} and {_HIGHEST}.")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
