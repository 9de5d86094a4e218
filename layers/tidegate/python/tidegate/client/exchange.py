"""One request with all its attempts: every decision on it, and no I/O.

The two transports, sync and async, only carry its decisions out:

    while wait_s := exchange.reserve_s(): sleep
    send exchange.attempt()
    pause_s = exchange.answered(response) or exchange.failed(fault): sleep and begin again; None: it was the last

    A `NotSentError` of `reserve_s` means that this attempt isn't sent; its caller gets `exchange.outcome`.
"""

from __future__ import annotations

from typing import Any

import httpx

from tidegate import criticality, deadline
from tidegate.client.call import Call
from tidegate.client.errors import DeadlineExceededError, NotSentError, QuotaExhaustedError, ThrottledError
from tidegate.client.hosts import Hosts
from tidegate.client.idempotency import KEY_FIELD, is_key, is_keyed, may_repeat
from tidegate.client.response_fields import LONGEST_S, quotas_left, retry_after_s
from tidegate.client.scope import scope_of
from tidegate.client.shrinking import End, Shrinking
from tidegate.client.verdict import is_accepted, is_passing, is_worth_retrying
from tidegate.limits.fields import LIMIT_FIELD, POLICY_FIELD

# The response's extension that holds the number of attempts.
ATTEMPTS = "attempts"

_SILENCING = frozenset({429, 503})


class Exchange:
    """A request under way; used by one thread or task.

    Args:
        request: the application's, or one that httpx derived from it. It gets an idempotency key if the options ask for
            one.
        hosts: the options, and the state of the request's host.
    """

    def __init__(self, request: httpx.Request, hosts: Hosts) -> None:
        self._request = request
        self._conduct, self._clock, self._random = hosts.conduct, hosts.clock, hosts.random
        self._host = hosts.host(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}")
        self._scope = scope_of(request.method, request.url.path)
        self._call = Call.of(request, hosts)
        self._criticality = self._level()
        self._sent = 0
        self._place = 0
        self._last: httpx.Response | httpx.TransportError | None = None
        self._unused: list[httpx.Response] = []
        self.end = End(self._clock, self._call.until_s)
        # A request that continues a call isn't throttled: the call was admitted already.
        if not self._host.begin(self._criticality, self._scope) and not self._call.sent:
            raise ThrottledError("The server refused or failed most of the last two minutes' requests", request)

    @property
    def attempts(self) -> int:
        """How often it was sent."""
        return self._sent

    @property
    def reads_whole(self) -> bool:
        """Whether the response's body is read before the application gets it."""
        return self._call.reads_whole

    def reserve_s(self) -> float:
        """Return 0.0 if an attempt is to be sent now, else the seconds to wait before the next call.

        Raises:
            QuotaExhaustedError: the wait is longer than the deadline permits.
            DeadlineExceededError: the deadline is over.
        """
        left_s = self._call.left_s
        if left_s <= 0:
            raise DeadlineExceededError("The deadline was over before the request was sent", self._request)
        wait_s = self._host.reserve_s(self._scope)
        if not wait_s:
            return 0.0
        if wait_s >= left_s:
            reason = f"The quota of {self._scope} is used up for {wait_s:.1f} s, and {left_s:.1f} s are left"
            raise QuotaExhaustedError(reason, self._request, wait_s)
        return self._spread_s(wait_s, left_s)

    def attempt(self) -> httpx.Request:
        """Return the request to send, with its timeouts and deadline set to the time that is left."""
        self._sent += 1
        self._call.sent += 1
        self._place = self._host.send()
        self.end = End(self._clock, self._call.until_s)
        left_s = max(0.0, self._call.left_s)
        timeouts = self._timeouts(left_s)
        headers = self._request.headers.copy()
        if self._conduct.passes_on and not self._call.is_elsewhere:
            headers[deadline.FIELD.decode()] = deadline.format_ms(self._useful_s(left_s, timeouts["read"]))
            if self._criticality is not None:
                headers[criticality.FIELD.decode()] = self._criticality
        return httpx.Request(
            self._request.method,
            self._request.url,
            headers=headers,
            stream=self._request.stream,
            extensions={**self._request.extensions, "timeout": timeouts},
        )

    def answered(self, response: httpx.Response) -> float | None:
        """Take a response; return the seconds to pause before the next attempt, or None if it was the last."""
        status, fields = response.status_code, response.headers
        wait_s = retry_after_s(fields.get("retry-after"), fields.get("date"), self._clock.wall_us())
        left = quotas_left(fields.get(LIMIT_FIELD.decode()), fields.get(POLICY_FIELD.decode()))
        silent_s, accepted = wait_s if status in _SILENCING else None, is_accepted(status)
        self._host.learn(self._scope, left, silent_s, self._place, accepted=accepted)
        self._host.record(self._criticality, self._scope, accepted=accepted)
        pause_s = None
        if is_worth_retrying(status, keyed=self._is_keyed(), has_retry_after=wait_s is not None):
            pause_s = self._pause_s(wait_s or 0.0)
        if pause_s is None:
            self._call.ended(status)
        return pause_s

    def failed(self, fault: httpx.TransportError) -> float | None:
        """Take a fault; return the seconds to pause before the next attempt, or None if it was the last."""
        self._last = fault
        pause_s = None
        if is_passing(fault):
            self._host.record(self._criticality, self._scope, accepted=False)
            pause_s = self._pause_s(0.0)
        if pause_s is None:
            self._call.ended(None)
        return pause_s

    def keep(self, response: httpx.Response) -> None:
        """Keep a response, with the read part of its body, in case the next attempt isn't sent."""
        self._last = response
        self._unused.append(response)

    def finish(self, response: httpx.Response) -> httpx.Response:
        """Complete the response that is returned: with the number of attempts, and the cookies of all of them."""
        response.extensions[ATTEMPTS] = self._sent
        unused = [
            pair for each in self._unused if each is not response for pair in each.headers.raw if _is_cookie(pair)
        ]
        own = response.headers.raw
        # httpx stores a cookie that isn't ASCII, and then fails to make any request with it.
        sound = [pair for pair in (*unused, *own) if not _is_cookie(pair) or pair[1].isascii()]
        if unused or len(sound) < len(own):
            response.headers = httpx.Headers(sound)
        return response

    def outcome(self, unsent: NotSentError) -> httpx.Response:
        """Return the last response if a further attempt isn't sent.

        Raises:
            httpx.TransportError: there is no response; it is the last fault, or `unsent` if nothing was sent at all.
        """
        if isinstance(self._last, httpx.Response):
            self._call.ended(self._last.status_code)
            return self.finish(self._last)
        self._call.ended(None)
        if self._last is not None:
            self._last.add_note(f"It was sent {self._sent} times, and not again: {unsent}")
            raise self._last
        if self._call.sent:
            raise httpx.ReadTimeout(f"The call was sent on, and this wasn't: {unsent}", request=self._request)
        raise unsent

    def timed_out(self) -> httpx.ReadTimeout:
        """Return the fault of an attempt that hadn't ended at the deadline."""
        return httpx.ReadTimeout("The deadline was over before the answer", request=self._request)

    def _pause_s(self, asked_s: float) -> float | None:
        """Return a pause of at least the server's, jittered beyond it; None if another attempt isn't permitted."""
        if self._sent >= self._conduct.attempts or not self._may_repeat():
            return None
        asked_s = min(asked_s, self._conduct.retry_after_max_s)
        asked_s = max(asked_s, self._host.wait_s(self._scope))
        pause_s = self._host.spread_s(self._scope, asked_s) + self._conduct.backoff.pause_s(
            self._sent - 1, self._random
        )
        if pause_s >= self._call.left_s or not self._host.may_retry(self._criticality, self._scope):
            return None
        return pause_s if self._call.body.rewind() else None

    def _useful_s(self, left_s: float, read_s: float) -> float:
        """How long a response is useful: until this attempt times out, or, as a key replays it, until the deadline."""
        return left_s if self._is_keyed() else min(left_s, read_s)

    def _spread_s(self, wait_s: float, left_s: float) -> float:
        """Return a wait with jitter, which ends before the deadline in any case."""
        spread_s = self._host.spread_s(self._scope, wait_s)
        return spread_s if spread_s < left_s else self._random.uniform(wait_s, left_s)

    def _may_repeat(self) -> bool:
        """Whether it is idempotent."""
        return may_repeat(self._request.method, has_key=self._has_key())

    def _is_keyed(self) -> bool:
        return is_keyed(self._request.method, has_key=self._has_key())

    def _has_key(self) -> bool:
        return is_key(self._request.headers.get(KEY_FIELD.decode()))

    def _level(self) -> criticality.Criticality | None:
        """The criticality of the request's own field, else of the options, else of the request being served."""
        own = criticality.parse(self._request.headers.get(criticality.FIELD.decode()))
        return own or self._conduct.criticality or criticality.current.get()

    def _timeouts(self, left_s: float) -> dict[str, Any]:
        """The request's own timeouts (connect, read, write, pool), none longer than the time that is left."""
        own = self._request.extensions.get("timeout", {})
        most_s = min(left_s, LONGEST_S)
        return {
            kind: Shrinking(most_s if own.get(kind) is None else min(own[kind], most_s), self.end)
            for kind in ("connect", "read", "write", "pool")
        }


def _is_cookie(field: tuple[bytes, bytes]) -> bool:
    return field[0].lower() == b"set-cookie"
