"""The responses and faults that are worth a retry, and those that mean that the server is short of capacity."""

from __future__ import annotations

import ssl

import httpx

# The client's quota; a failure behind the gateway; the server's capacity; a timeout behind the gateway.
_WORTH_IT = frozenset({429, 502, 503, 504})
_IN_PROGRESS = 409
# The pool is the client's own, and a proxy's refusal or a wrong address is permanent.
_OURS = (httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


def is_worth_retrying(status: int, *, keyed: bool, has_retry_after: bool) -> bool:
    """Whether a response to a repeatable request is worth a retry.

    Of the 4xx only the 429 of a quota is, and the 409 of a server on which the request with this key still runs.

    Args:
        status: the response's.
        keyed: whether the request may be repeated because of its idempotency key.
        has_retry_after: whether the response has a valid `Retry-After`.
    """
    return status in _WORTH_IT or (status == _IN_PROGRESS and keyed and has_retry_after)


def is_accepted(status: int) -> bool:
    """Whether the server accepted the request, as client-side throttling counts it."""
    return status not in _WORTH_IT


def is_passing(fault: httpx.TransportError) -> bool:
    """Whether a fault is the connection's or the server's, and may be over by the next attempt."""
    return not isinstance(fault, _OURS) and not _is_distrust(fault)


def _is_distrust(fault: BaseException) -> bool:
    """Whether a certificate isn't trusted: httpx raises a ConnectError, with the reason in its chain."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
