"""What Redis and the way to it say when something is wrong, sorted into the classes that are counted."""

from __future__ import annotations

import ssl

from tidegate.errors import FaultKind, StoreUnavailableError


class ReplyError(Exception):
    """A server's error reply: its code, such as `OOM`, and what it says.

    Args:
        text: the reply without its leading minus.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class NoScriptError(ReplyError):
    """The server doesn't know a script by this digest: it restarted, or is another one."""


class AuthenticationError(Exception):
    """The server doesn't let us in, or no credentials could be had."""


def reply_error(text: str) -> ReplyError:
    """Make an error reply into a value."""
    return NoScriptError(text) if text.startswith("NOSCRIPT") else ReplyError(text)


_CODES: dict[str, FaultKind] = {
    "NOAUTH": "authentication",
    "WRONGPASS": "authentication",
    "NOPERM": "authentication",
    "LOADING": "loading",
    "READONLY": "read-only",
    # A master that refuses all writes: it can't save, or too few replicas are there.
    "MISCONF": "read-only",
    "NOREPLICAS": "read-only",
    "OOM": "out-of-memory",
    "MOVED": "moved",
    "ASK": "moved",
    "TRYAGAIN": "moved",
    "CLUSTERDOWN": "cluster-down",
    "MASTERDOWN": "cluster-down",
}

# Redis 6.2 puts the code of what a script met into the text of an ERR.
_SAID: dict[str, FaultKind] = {f"-{code} ": kind for code, kind in _CODES.items()} | {
    "max number of clients": "refused",
    # To those who haven't authenticated, long commands are refused as a protocol error.
    "unauthenticated": "authentication",
}

_KINDS: tuple[tuple[type[BaseException], FaultKind], ...] = (
    (AuthenticationError, "authentication"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (ssl.SSLError, "tls"),
    (ConnectionError, "reset"),
    # Nobody there to be connected to: an unknown name, a socket that isn't there, no way to the host.
    (OSError, "refused"),
)


def unavailable(error: BaseException) -> StoreUnavailableError:
    """Sort an error of the server's, of its connection or of the system into the classes that are counted."""
    return StoreUnavailableError("redis", kind_of(error), str(error)[:200])


def kind_of(error: BaseException) -> FaultKind:
    """Return the class of an error."""
    if isinstance(error, ReplyError):
        said = [kind for word, kind in _SAID.items() if word in str(error)]
        return _CODES.get(error.code, said[0] if said else "protocol")
    return next((kind for known, kind in _KINDS if isinstance(error, known)), "protocol")
