"""What a client knows to be left of its quotas, so that it waits before it is told to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate.client.rate_limit import Left

_MOST_SCOPES = 1024


@dataclass(slots=True)
class _Quota:
    remaining: int
    until_s: float
    in_requests: bool


@dataclass(slots=True)
class _Scope:
    silent_until_s: float = 0.0
    quotas: dict[str, _Quota] = field(default_factory=dict)


class Quotas:
    """What was last said of each scope, such as `GET /v1/products`; not safe for threads by itself.

    The fields don't say which requests share a quota. So what an answer says holds for requests of its own scope.
    All times are seconds that only grow.
    """

    def __init__(self) -> None:
        self._scopes: OrderedDict[str, _Scope] = OrderedDict()

    def learn(self, scope: str, left: Sequence[Left], now_s: float) -> None:
        """Keep what an answer says is left; what is said later counts."""
        for told in left:
            if told.reset_s is not None:
                quotas = self._scope(scope).quotas
                quotas[told.name] = _Quota(told.remaining, now_s + told.reset_s, told.in_requests)

    def silence(self, scope: str, wait_s: float, now_s: float) -> None:
        """Keep a `Retry-After`, which goes before what is left."""
        known = self._scope(scope)
        known.quotas.clear()
        known.silent_until_s = max(known.silent_until_s, now_s + wait_s)

    def wait_s(self, scope: str, now_s: float) -> float:
        """Return the seconds until a request may be sent; 0.0: now."""
        known = self._scopes.get(scope)
        if known is None:
            return 0.0
        known.quotas = {name: quota for name, quota in known.quotas.items() if quota.until_s > now_s}
        used_up = [quota.until_s for quota in known.quotas.values() if quota.remaining <= 0]
        return max(0.0, max([known.silent_until_s, *used_up]) - now_s)

    def reserve_s(self, scope: str, now_s: float) -> float:
        """Take one unit of what is left and return 0.0, or take nothing and return the seconds to wait."""
        wait_s = self.wait_s(scope, now_s)
        if not wait_s and scope in self._scopes:
            for quota in self._scopes[scope].quotas.values():
                quota.remaining -= quota.in_requests
        return wait_s

    def _scope(self, scope: str) -> _Scope:
        known = self._scopes.setdefault(scope, _Scope())
        self._scopes.move_to_end(scope)
        if len(self._scopes) > _MOST_SCOPES:
            self._scopes.popitem(last=False)
        return known
