"""The errors of Redis and of its connections, sorted into the classes that are counted."""

from __future__ import annotations

import ssl

from tidegate.errors import FaultKind, StoreUnavailableError


class ReplyError(Exception):
    """A server's error reply: its code, such as `OOM`, and its text.

    Args:
        text: the reply without its leading minus.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class NoScriptError(ReplyError):
    """The server doesn't know a script by this digest, as after a restart."""


class AuthenticationError(Exception):
    """The server refused the credentials, or there are none."""


def reply_error(text: str) -> ReplyError:
    """Make an error reply into a value."""
    return NoScriptError(text) if text.startswith("NOSCRIPT") else ReplyError(text)


class UnheardError(ConnectionResetError):
    """An idle connection proved dead before it replied: servers and networks end them without notice."""


class OddReplyError(Exception):
    """A reply of a form that doesn't fit its command: replies on its connection may be shifted by one."""


# The server refuses service, or this connection: the next question would meet the same.
_CODES: dict[str, FaultKind] = {
    "NOAUTH": "authentication",
    "WRONGPASS": "authentication",
    "NOPERM": "authentication",
    # Protected mode: the server accepts clients of its own machine only.
    "DENIED": "authentication",
    "LOADING": "loading",
    # A script, of any client, runs for too long.
    "BUSY": "timeout",
    "UNKILLABLE": "timeout",
    "READONLY": "read-only",
    # A master that became a replica while a command waited.
    "UNBLOCKED": "read-only",
    # A master that refuses all writes, because it can't save or has too few replicas.
    "MISCONF": "read-only",
    "NOREPLICAS": "read-only",
    "OOM": "out-of-memory",
    "MOVED": "moved",
    "ASK": "moved",
    "TRYAGAIN": "moved",
    "CLUSTERDOWN": "cluster-down",
    "MASTERDOWN": "cluster-down",
    "NOMASTERLINK": "cluster-down",
    # The fault lies in one key, or in one question.
    "WRONGTYPE": "unreadable",
    "BUSYKEY": "unreadable",
    "BUSYGROUP": "unreadable",
    "NOGROUP": "unreadable",
}

# Texts of an ERR that isn't a single question's fault. Any other ERR is: a value or an expiry that is no number, or a
# script's error. Redis 6.2 puts the code of an error within a script into the text, so the codes are texts here, too.
_TEXTS: dict[str, FaultKind] = {f"-{code} ": kind for code, kind in _CODES.items()} | {
    "max number of clients": "refused",
    # Without authentication long commands are refused as a protocol error.
    "unauthenticated": "authentication",
    "invalid password": "authentication",
    "operation not permitted": "authentication",
    "Client sent AUTH": "authentication",
    "AUTH <password>": "authentication",
    "max memory": "out-of-memory",
    "killed by user": "timeout",
    # A command that this user mayn't call from a script, or that is renamed: Redis 7.2 and Valkey, before, and 6.2.
    "ACL failure in script": "authentication",
    "The user executing the script can't": "authentication",
    "Unknown Redis command called from": "protocol",
    "Unknown command called from": "protocol",
    "unknown command": "protocol",
    "unsupported command": "protocol",
    # A hosted Redis' plan is used up.
    "requests limit exceeded": "throttled",
    "request limit exceeded": "throttled",
    "Protocol error": "protocol",
    "cluster support disabled": "protocol",
    "not allowed in cluster mode": "protocol",
    "DB index": "protocol",
}

_KINDS: tuple[tuple[type[BaseException], FaultKind], ...] = (
    (AuthenticationError, "authentication"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (ssl.SSLError, "tls"),
    (ConnectionError, "reset"),
    # An unknown name, a missing socket, no route to the host.
    (OSError, "refused"),
)


def unavailable(error: BaseException) -> StoreUnavailableError:
    """Sort an error of the server's, of its connection or of the system into the classes that are counted."""
    return StoreUnavailableError("redis", kind_of(error), str(error)[:200])


def kind_of(error: BaseException) -> FaultKind:
    """Return the class of an error.

    An error reply with an unknown code is the store's fault, as `protocol`: Redis, its proxies and other RESP servers
    use codes to refuse service. An ERR is by default the fault of the one question.
    """
    if isinstance(error, ReplyError):
        if error.code in _CODES:
            return _CODES[error.code]
        text = str(error)
        by_text = next((kind for word, kind in _TEXTS.items() if word in text), None)
        return by_text or ("unreadable" if error.code == "ERR" else "protocol")
    return next((kind for known, kind in _KINDS if isinstance(error, known)), "protocol")
