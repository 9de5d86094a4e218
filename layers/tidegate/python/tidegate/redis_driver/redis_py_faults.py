"""The errors that redis-py raises, as the driver's own, which are sorted into the classes that are counted."""

from __future__ import annotations

from collections.abc import Iterator

from redis import exceptions
from redis.sentinel import MasterNotFoundError

from tidegate.redis_driver.faults import AuthenticationError, ReplyError, reply_error

# redis-py makes a class of an error reply's code, and drops the code.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.NoScriptError, "NOSCRIPT"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.OutOfMemoryError, "OOM"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.MovedError, "MOVED"),
    (exceptions.AskError, "ASK"),
    (exceptions.TryAgainError, "TRYAGAIN"),
    (exceptions.MasterDownError, "MASTERDOWN"),
    (exceptions.ClusterDownError, "CLUSTERDOWN"),
    (exceptions.ClusterCrossSlotError, "CROSSSLOT"),
    (exceptions.ExecAbortError, "EXECABORT"),
    (MasterNotFoundError, "MASTERDOWN"),
    (exceptions.RedisClusterException, "CLUSTERDOWN"),
)

_REFUSED_CREDENTIALS = (
    exceptions.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.AuthenticationWrongNumberOfArgsError,
)
# The server has none, or the client's pool: redis-py 6 has no class for that.
_NO_CONNECTION_LEFT = ("max number of clients", "Too many connections")


def reply_of(error: Exception) -> ReplyError:
    """Return an error reply as the server sent it: its code, and its text."""
    text = str(error)
    code = next((code for known, code in _CODES if isinstance(error, known)), None)
    if code is None:
        word = text.partition(" ")[0]
        code = None if word.isalpha() and word.isupper() else "ERR"
    return reply_error(text if code is None or text.startswith(f"{code} ") else f"{code} {text}")


def fault_of(error: BaseException) -> BaseException:
    """Return the driver's error for one of redis-py's.

    redis-py wraps a system's error, which says more than the wrapper, and a replica's refusal where Sentinel is asked.
    """
    for each in _chain(error):
        if isinstance(each, OSError):
            return each
        if isinstance(each, _REFUSED_CREDENTIALS):
            return AuthenticationError(str(each))
        if isinstance(each, exceptions.ResponseError) or any(isinstance(each, known) for known, _ in _CODES):
            return reply_of(each)
        if isinstance(each, exceptions.TimeoutError):
            return TimeoutError(str(each))
        if any(text in str(each) for text in _NO_CONNECTION_LEFT):
            return ConnectionRefusedError(str(each))
    return ConnectionResetError(str(error)) if isinstance(error, exceptions.ConnectionError) else error


def _chain(error: BaseException) -> Iterator[Exception]:
    each: BaseException | None = error
    while isinstance(each, Exception):
        yield each
        each = each.__cause__ or each.__context__
