"""A client's knowledge of its quotas, by which it waits before the server refuses it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate.client.response_fields import Left

# Seconds after which one request probes a wait that isn't over.
LONGEST_SILENCE_S = 60.0

_MOST_SCOPES = 1024
_MOST_QUOTAS = 16  # bounds the memory, even if a server uses new policy names in every response


@dataclass(slots=True)
class _Quota:
    remaining: int
    until_s: float
    in_requests: bool
    used_up_since: float | None  # the number, in the order of sending, of the request whose response had none left


@dataclass(slots=True)
class _Scope:
    silent_until_s: float = 0.0
    silent_since: float = -math.inf  # the number, in the order of sending, of the request whose response asked for it
    quotas: dict[str, _Quota] = field(default_factory=dict)
    probe_at_s: float = math.inf
    awaited_s: float = 0.0
    in_line: int = 0


class Quotas:
    """The latest quotas of each scope, such as `GET /v1/products`; not thread-safe.

    The fields don't name the requests that share a quota, so a response counts for requests of its own scope.

    All times are seconds of a monotonic clock. Responses are ordered by when their requests were sent: a late response
    to an early request doesn't replace a later request's.

    A wait that is longer than `longest_silence_s` is probed: one request is sent then, and its response ends the wait,
    renews it or leaves it.

    Args:
        longest_silence_s: seconds from the last response about a wait to its first probe, and from probe to probe.
    """

    def __init__(self, longest_silence_s: float = LONGEST_SILENCE_S) -> None:
        self._longest_silence_s = longest_silence_s
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()

    def learn(self, scope: str, left: Sequence[Left], now_s: float, sent: float | None = None) -> None:
        """Keep a response's quotas; they replace earlier ones of the same name.

        Args:
            scope: the request's.
            left: the response's quotas.
            now_s: the time, in seconds of a monotonic clock.
            sent: its request's number in the order of sending; None: it was sent now.
        """
        sent = now_s if sent is None else sent
        for each in left:
            if each.reset_s is not None:
                state = self._scope(scope)
                state.quotas.pop(each.name, None)  # re-inserted, so that the oldest is first
                used_up = None if each.remaining else sent
                state.quotas[each.name] = _Quota(each.remaining, now_s + each.reset_s, each.in_requests, used_up)
                state.probe_at_s = now_s + self._longest_silence_s
                if len(state.quotas) > _MOST_QUOTAS:
                    del state.quotas[next(iter(state.quotas))]

    def silence(self, scope: str, wait_s: float, now_s: float, sent: float | None = None) -> None:
        """Keep a `Retry-After`, which takes precedence over quotas. That of the request sent last counts.

        Args:
            scope: the request's.
            wait_s: the seconds of `Retry-After`.
            now_s: the time, in seconds of a monotonic clock.
            sent: its request's number in the order of sending; None: it was sent now.
        """
        sent = now_s if sent is None else sent
        state = self._scope(scope)
        state.quotas.clear()
        until_s = now_s + wait_s
        if state.silent_until_s > now_s:
            if sent < state.silent_since:
                return
            if sent == state.silent_since:
                until_s = max(until_s, state.silent_until_s)
        state.silent_until_s, state.silent_since = until_s, sent
        state.probe_at_s = now_s + self._longest_silence_s

    def accepted(self, scope: str, sent: float) -> None:
        """End the waits that the acceptance of a request disproves; call it before `learn` for the same response.

        Args:
            scope: the request's.
            sent: its number in the order of sending; waits from the responses to later requests stay.
        """
        state = self._scopes.get(scope)
        if state is None:
            return
        if state.silent_since < sent:
            state.silent_until_s = 0.0
        state.quotas = {
            name: quota
            for name, quota in state.quotas.items()
            if quota.used_up_since is None or quota.used_up_since >= sent
        }

    def wait_s(self, scope: str, now_s: float) -> float:
        """Return the seconds until a request may be sent; 0.0: now."""
        state = self._scopes.get(scope)
        if state is None:
            return 0.0
        return max(0.0, min(self._until_s(state, now_s), state.probe_at_s) - now_s)

    def reserve_s(self, scope: str, now_s: float) -> float:
        """Take one unit and return 0.0, or take nothing and return the seconds to wait."""
        wait_s = self.wait_s(scope, now_s)
        state = self._scopes.get(scope)
        if wait_s or state is None:
            return wait_s
        if self._until_s(state, now_s) > now_s:
            state.probe_at_s = now_s + self._longest_silence_s
            return 0.0
        for quota in state.quotas.values():
            quota.remaining -= quota.in_requests
        return 0.0

    def line_up(self, scope: str, until_s: float) -> int:
        """Return how many requests wait for the same moment already, and count one more.

        Args:
            scope: the requests'.
            until_s: the moment, in seconds of a monotonic clock.
        """
        state = self._scope(scope)
        # The same moment, computed from several times, differs by rounding.
        if not math.isclose(state.awaited_s, until_s, rel_tol=0, abs_tol=1e-3):
            state.awaited_s, state.in_line = until_s, 0
        state.in_line += 1
        return state.in_line - 1

    @staticmethod
    def _until_s(state: _Scope, now_s: float) -> float:
        """When the waits end, without a probe; a past time: there is none."""
        state.quotas = {name: quota for name, quota in state.quotas.items() if quota.until_s > now_s}
        used_up = [quota.until_s for quota in state.quotas.values() if quota.remaining <= 0]
        return max([state.silent_until_s, *used_up])

    def _scope(self, scope: str) -> _Scope:
        state = self._scopes.setdefault(scope, _Scope())
        self._scopes.move_to_end(scope)
        if len(self._scopes) > _MOST_SCOPES:
            self._scopes.popitem(last=False)
        return state
