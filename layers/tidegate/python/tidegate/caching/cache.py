"""`Cache`: what a route asks of the cache, in human units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from tidegate.errors import ConfigurationError
from tidegate.units import duration_us

Refresh = Literal["inline", "async"]

LONGEST_WAIT_MS = 20_000
LONGEST_KEPT_MS = 7 * 86_400_000


class Windows(NamedTuple):
    """For how long a copy may be used, in milliseconds.

    Attributes:
        fresh_ms: from when it was made.
        stale_ms: after that, while one caller makes a new one (`stale-while-revalidate`).
        error_ms: after that, if the route fails (`stale-if-error`) or Redis is away; never less than `stale_ms`.
    """

    fresh_ms: int
    stale_ms: int = 0
    error_ms: int = 0

    @property
    def kept_ms(self) -> int:
        """How long it is kept in all."""
        return self.fresh_ms + self.error_ms

    def capped(self, fresh_ms: int) -> Windows:
        """Return them with freshness ending no later than that."""
        return self._replace(fresh_ms=min(self.fresh_ms, fresh_ms))


@dataclass(frozen=True, slots=True)
class Cache:
    """A route's answers are kept and given again. GET and HEAD only.

    Source of the windows: RFC 9111 (freshness) and RFC 5861 (`stale-while-revalidate`, `stale-if-error`).

    Args:
        fresh: how long an answer is as good as a new one.
        stale: how long after that it is still given while one caller makes a new one; not at all if None.
        stale_if_error: how long after freshness it is given if the route fails, or, from an environment's own copies,
            while Redis is away; as long as `stale` if None.
        query: the query parameters that make a difference; all, in any order, if None.
        vary: the request's header fields that make a difference.
        shared: whether all callers get the same answer; else each principal has copies of its own. A request with
            `Authorization` or `Cookie` has its own even then.
        tags: what `invalidate` calls the copies by; `"product:{id}"` is filled from the path's parameters.
        not_found: how long a 404 or 410 is kept; not at all if None.
        refresh: who makes the new one while a stale one is there: the request that found it (`inline`), before its
            answer, or another invocation of the function (`async`); off Lambda always inline.
        wait: the longest that a request waits for a copy that another one is making; then it makes its own.

    Raises:
        ConfigurationError: an argument can't be used; it names it.
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
