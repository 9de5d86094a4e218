"""`Cache`: a route's cache policy, in human units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from tidegate.cache_messages import Windows
from tidegate.errors import ConfigurationError
from tidegate.units import duration_us

Refresh = Literal["inline", "async"]

LONGEST_WAIT_MS = 20_000
LONGEST_KEPT_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Cache:
    """A route's responses are kept and given again. GET and HEAD only.

    Source of the windows: RFC 9111 (freshness) and RFC 5861 (`stale-while-revalidate`, `stale-if-error`).

    Args:
        fresh: how long a response is fresh.
        stale: how long after that it is still given while one caller makes a new one; not at all if None.
        stale_if_error: how long after freshness it is given if the route fails, or, from an environment's own copies,
            while Redis is away; as long as `stale` if None.
        query: the query parameters that the response depends on, beside those that the route declares; all, in any
            order, if None.
        vary: the request's header fields that the response depends on.
        shared: whether all callers get the same response; else each principal has copies of its own. A request with
            `Authorization` or `Cookie` has its own even then.
        tags: the names by which `invalidate` voids the copies; `"product:{id}"` is filled from the path's parameters.
        not_found: how long a 404 or 410 is kept; not at all if None.
        refresh: how a stale copy is renewed: by the request that found it, before its response (`inline`), or by
            another invocation of the function (`async`); off Lambda always inline.
        wait: the longest that a request waits for a copy that another one is making; then it runs the handler itself.

    Raises:
        ConfigurationError: an argument is wrong; the error names it.
    """

    fresh: str
    stale: str | None = None
    stale_if_error: str | None = None
    query: tuple[str, ...] | None = None
    vary: tuple[str, ...] = ()
    shared: bool = field(default=False, kw_only=True)
    tags: tuple[str, ...] = field(default=(), kw_only=True)
    not_found: str | None = field(default=None, kw_only=True)
    refresh: Refresh = field(default="inline", kw_only=True)
    wait: str = field(default="5s", kw_only=True)
    found: Windows = field(init=False)
    missing: Windows | None = field(init=False)
    wait_ms: int = field(init=False)

    def __post_init__(self) -> None:
        fresh_ms, stale_ms = self._ms("fresh"), self._ms("stale")
        error_ms = max(stale_ms, self._ms("stale_if_error"))
        self._set("found", Windows(fresh_ms, stale_ms, error_ms))
        if self.found.kept_ms > LONGEST_KEPT_MS:
            raise _wrong("fresh", "a copy is kept for seven days at most, its stale time included")
        self._set("missing", Windows(self._ms("not_found")) if self.not_found else None)
        self._set("wait_ms", self._ms("wait"))
        if self.wait_ms > LONGEST_WAIT_MS:
            raise _wrong("wait", f"{self.wait!r} holds a request for too long; write at most '20s'")
        if self.refresh not in get_args(Refresh):
            raise _wrong("refresh", f"{self.refresh!r} is unknown; write one of {get_args(Refresh)}")
        self._set("query", None if self.query is None else self._names("query", self.query))
        self._set("vary", tuple(sorted(name.lower() for name in self._names("vary", self.vary))))
        if "*" in self.vary:
            raise _wrong("vary", "no copy could ever be given again; name the request's header fields")
        self._set("tags", self._names("tags", self.tags))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _ms(self, name: str) -> int:
        text = getattr(self, name)
        if text is None:
            return 0
        try:
            return -(-duration_us(text) // 1000)
        except (ValueError, AttributeError) as error:
            raise _wrong(name, f"{error}; write a number and a unit, such as '30s'") from error

    def _names(self, argument: str, names: Iterable[str]) -> tuple[str, ...]:
        if isinstance(names, str):
            raise _wrong(argument, f"write a tuple: ({names!r},)")
        return tuple(names)


def _wrong(argument: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"Cache({argument}=…)", problem)
