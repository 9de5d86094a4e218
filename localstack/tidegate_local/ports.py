"""Loopback ports: taken and held at once, so that nobody else gets them in between."""

import errno
import random
import socket
import time

from tidegate_local.errors import StartError

LOOPBACK = "127.0.0.1"
_LAST = 65_535
# The number of the file descriptor under which the engine's process gets its listening socket.
ENGINE_SOCKET = 3
_BELOW_EPHEMERAL = range(22_000, 32_000)


def listen_from(first: int, tries: int = 50) -> socket.socket:
    """Return a socket that listens on loopback at the first free port from `first` on.

    Raises:
        StartError: all of them are taken, or the first is none.
    """
    if not 0 < first <= _LAST:
        raise StartError(f"Port {first} is none: write 1 to {_LAST}.")
    tries = min(tries, _LAST + 1 - first)
    for port in range(first, first + tries):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Without it a port stays "in use" for a minute after an engine that had connections.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(512)
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
        else:
            return listener
    if tries == 1:
        raise StartError(f"Port {first} on {LOOPBACK} is taken: name another one, or end what listens there.")
    raise StartError(
        f"No free port on {LOOPBACK} from {first} to {first + tries - 1}: end something that listens there."
    )


def free_port(preferred: int | None = None, patience_s: float = 1.0) -> int:
    """Return a port that is free at this moment: the preferred one, else any below the kernel's ephemeral range.

    A port from within it could become some connection's own while its server is down, and the server, killed and
    started again, would have to move. The preferred port is waited for: a killed server with several threads may
    hold it for a moment longer than its process seems to live.
    """
    deadline = time.monotonic() + patience_s
    while preferred is not None:
        if _is_free(preferred):
            return preferred
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    for port in random.sample(_BELOW_EPHEMERAL, 100):
        if _is_free(port):
            return port
    raise StartError(f"No free port on {LOOPBACK}: end something that listens there.")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
