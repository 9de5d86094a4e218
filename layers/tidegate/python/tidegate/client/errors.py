"""The errors of a call of which nothing was sent. They are httpx's errors, so that handlers of those catch them.

Once a request of a call was sent, none of these is raised: the last response is returned, or the last fault raised.

TidegateError, httpx.TransportError
└── NotSentError                  nothing was sent; `retry_after_s` says when it may be worth it
    ├── QuotaExhaustedError       a quota is known to be used up beyond the deadline
    ├── ThrottledError            the server has lately refused most requests
    └── DeadlineExceededError     the deadline was over before there was anything to send
"""

from __future__ import annotations

from typing import Any

import httpx

from tidegate.errors import TidegateError


class NotSentError(TidegateError, httpx.TransportError):
    """The request was not sent, so nothing was done.

    Args:
        message: the reason, for a person.
        request: the request.
        retry_after_s: seconds after which it may be sent; None: unknown.
    """

    def __init__(self, message: str, request: httpx.Request, retry_after_s: float | None = None) -> None:
        httpx.TransportError.__init__(self, message, request=request)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.request, self.retry_after_s)


class QuotaExhaustedError(NotSentError):
    """The quota is used up for longer than the deadline permits to wait."""


class ThrottledError(NotSentError):
    """The server refused or failed most of the last two minutes' requests, so this one is refused here."""


class DeadlineExceededError(NotSentError):
    """The caller's deadline was over before the request was sent."""
