"""One request with all its attempts: every decision on it, and no I/O.

The two transports, sync and async, only do as it says:

    while wait_s := exchange.reserve_s(): sleep
    send exchange.attempt()
    pause_s = exchange.answered(response) or exchange.failed(fault): sleep and begin again, or it is None: that's it
"""

from __future__ import annotations

from typing import Any

import httpx

from tidegate import criticality, deadline
from tidegate.client.errors import DeadlineExceededError, QuotaExhaustedError, ThrottledError
from tidegate.client.hosts import Hosts
from tidegate.client.idempotency import KEY_FIELD, is_keyed, may_repeat, new_key, wants_key
from tidegate.client.rate_limit import quotas_left
from tidegate.client.retry_after import retry_after_s
from tidegate.client.scope import scope_of
from tidegate.client.verdict import is_accepted, is_passing, is_worth_retrying
from tidegate.http import LIMIT_FIELD, POLICY_FIELD

DEADLINE = "deadline_s"  # the extension that says one request's own
_SILENCING = frozenset({429, 503})
_SPREAD = 0.1  # of a wait that others may be told of, too


class Exchange:
    """A request under way; used by one thread or task.

    Args:
        request: what the application sends. It gets an idempotency key if the options ask for one.
        hosts: the options, and what is known of the request's host.

    Raises:
        ThrottledError: the host refuses too much for this request to be worth sending.
    """

    def __init__(self, request: httpx.Request, hosts: Hosts) -> None:
        self._request = request
        self._conduct, self._clock, self._random = hosts.conduct, hosts.clock, hosts.random
        self._host = hosts.host(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}")
        self._scope = scope_of(request.method, request.url.path)
        self._until_s = self._deadline()
        self._criticality = self._level()
        self._sent = 0
        if wants_key(request.method, request.url.path, self._conduct.keys_for):
            request.headers.setdefault(KEY_FIELD.decode(), new_key())
        if not self._host.begin(self._criticality):
            raise ThrottledError("The server refused or failed most of the last two minutes' requests", request)

    @property
    def attempts(self) -> int:
        """How often it was sent."""
        return self._sent

    def reserve_s(self) -> float:
        """Return 0.0 if an attempt is to be sent now, else the seconds to wait before asking again.

        Raises:
            QuotaExhaustedError: the wait is longer than the deadline allows.
            DeadlineExceededError: the deadline is over.
        """
        if self._left_s() <= 0:
            raise DeadlineExceededError("The deadline was over before the request was sent", self._request)
        wait_s = self._host.reserve_s(self._scope)
        if not wait_s:
            return 0.0
        if wait_s >= self._left_s():
            told = f"The quota of {self._scope} is used up for {wait_s:.1f} s, and {self._left_s():.1f} s are left"
            raise QuotaExhaustedError(told, self._request, wait_s)
        return self._spread(wait_s)

    def attempt(self) -> httpx.Request:
        """Return what to send: the request, with what is left of its time."""
        self._sent += 1
        left_s = self._left_s()
        timeouts = self._timeouts(left_s)
        headers = self._request.headers.copy()
        if self._conduct.passes_on:
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
        """Learn from an answer; return the seconds to pause before the next attempt, None: it is the last."""
        status, fields = response.status_code, response.headers
        wait_s = retry_after_s(fields.get("retry-after"), fields.get("date"), self._clock.wall_us())
        left = quotas_left(fields.get(LIMIT_FIELD.decode()), fields.get(POLICY_FIELD.decode()))
        self._host.learn(self._scope, left, wait_s if status in _SILENCING else None)
        self._host.record(self._criticality, accepted=is_accepted(status))
        if not is_worth_retrying(status, keyed=self._is_keyed(), has_retry_after=wait_s is not None):
            return None
        return self._pause_s(wait_s or 0.0)

    def failed(self, fault: httpx.TransportError) -> float | None:
        """Learn from a failure; return the seconds to pause before the next attempt, None: it is the last."""
        if not is_passing(fault):
            return None
        self._host.record(self._criticality, accepted=False)
        return self._pause_s(0.0)

    def _pause_s(self, told_s: float) -> float | None:
        """Never before what was told, and jittered after it; None if it can't or may not be tried again."""
        if self._sent >= self._conduct.attempts or not self._may_repeat():
            return None
        told_s = max(told_s, self._host.wait_s(self._scope))
        pause_s = self._spread(told_s) + self._conduct.backoff.pause_s(self._sent - 1, self._random)
        if pause_s >= self._left_s() or not self._host.may_retry(self._criticality):
            return None
        return pause_s

    def _useful_s(self, left_s: float, read_s: float) -> float:
        """How long an answer is of use: till this attempt is given up; with a key a later attempt gets it replayed."""
        return left_s if self._is_keyed() else min(left_s, read_s)

    def _spread(self, wait_s: float) -> float:
        return wait_s * (1 + self._random.uniform(0, _SPREAD))

    def _may_repeat(self) -> bool:
        """Whether it is idempotent, and its body is still there: a stream is gone when it was sent."""
        return may_repeat(self._request.method, has_key=self._has_key()) and isinstance(
            self._request.stream, httpx.ByteStream
        )

    def _is_keyed(self) -> bool:
        return is_keyed(self._request.method, has_key=self._has_key())

    def _has_key(self) -> bool:
        return bool(self._request.headers.get(KEY_FIELD.decode(), "").strip())

    def _left_s(self) -> float:
        return self._until_s - self._clock.monotonic()

    def _deadline(self) -> float:
        own_s = self._clock.monotonic() + float(self._request.extensions.get(DEADLINE, self._conduct.deadline_s))
        inherited_s = deadline.current.get()
        return own_s if inherited_s is None else min(own_s, inherited_s)

    def _level(self) -> criticality.Criticality | None:
        """What the request says itself, else the options, else what is being served."""
        said = criticality.parse(self._request.headers.get(criticality.FIELD.decode()))
        return said or self._conduct.criticality or criticality.current.get()

    def _timeouts(self, left_s: float) -> dict[str, Any]:
        """The request's own timeouts (connect, read, write, pool), none longer than what is left."""
        own = self._request.extensions.get("timeout", {})
        return {
            kind: left_s if own.get(kind) is None else min(own[kind], left_s)
            for kind in ("connect", "read", "write", "pool")
        }
