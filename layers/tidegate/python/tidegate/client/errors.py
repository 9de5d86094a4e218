"""What a client raises without having sent anything; httpx's errors, so that who handles those handles these.

TidegateError, httpx.TransportError
└── NotSentError                  nothing was sent; `retry_after_s` says when it may be worth it
    ├── QuotaExhaustedError       a quota is known to be used up beyond the deadline
    ├── ThrottledError            the server has refused most of what it was sent lately
    └── DeadlineExceededError     the deadline was over before there was anything to send
"""

from __future__ import annotations

import httpx

from tidegate.errors import TidegateError


class NotSentError(TidegateError, httpx.TransportError):
    """The request was not sent, so nothing was done.

    Args:
        message: why, for a person.
        request: which.
        retry_after_s: seconds after which it may be sent; None: not known.
    """

    def __init__(self, message: str, request: httpx.Request, retry_after_s: float | None = None) -> None:
        httpx.TransportError.__init__(self, message, request=request)
        self.retry_after_s = retry_after_s


class QuotaExhaustedError(NotSentError):
    """The server has said that nothing is left, and for longer than the deadline allows to wait."""


class ThrottledError(NotSentError):
    """The server refused or failed most of the last two minutes' requests, so this one is refused here."""


class DeadlineExceededError(NotSentError):
    """The caller's deadline was over before the request was sent."""
