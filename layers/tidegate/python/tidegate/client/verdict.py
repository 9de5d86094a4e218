"""Which answers and faults are worth a retry, and which say that the server is short of capacity."""

from __future__ import annotations

import ssl

import httpx

# This client's quota; a server behind the gateway that broke; the server's capacity; one that took too long.
_WORTH_IT = frozenset({429, 502, 503, 504})
_IN_PROGRESS = 409
# The pool is this client's own, and a proxy that refuses or a wrong address won't change its mind.
_OURS = (httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


def is_worth_retrying(status: int, *, keyed: bool, has_retry_after: bool) -> bool:
    """Whether an answer to a request that may be repeated is worth asking again.

    No 4xx is, but the quota's 429, and the 409 by which a server says that it still works on this very key.

    Args:
        status: the answer's.
        keyed: whether the request bears an idempotency key that counts.
        has_retry_after: whether the answer says when to come again.
    """
    return status in _WORTH_IT or (status == _IN_PROGRESS and keyed and has_retry_after)


def is_accepted(status: int) -> bool:
    """Whether the server took the request on, as client-side throttling counts it."""
    return status not in _WORTH_IT


def is_passing(fault: httpx.TransportError) -> bool:
    """Whether a fault is the connection's or the server's, and may be over at the next attempt."""
    return not isinstance(fault, _OURS) and not _is_distrust(fault)


def _is_distrust(fault: BaseException) -> bool:
    """A certificate that isn't trusted comes as a ConnectError, with the reason somewhere behind it."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
