"""Rates that differ from caller to caller: a table by tier, or a function of the application.

A caller's state stays where it is when the rate changes, so that a caller whose tier changes keeps what he owes. A
function that raises, or returns no rate, is the application's fault: the response is 500, the error is logged, and
nothing is charged or run. A caller whose tier isn't in the table gets the least rate of it, and that is logged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, cast

from tidegate.errors import ConfigurationError
from tidegate.identity.caller import Caller
from tidegate.limits.costs import problem_raised
from tidegate.limits.limit import Limit
from tidegate.telemetry import logger
from tidegate.units import Rate
from tidegate.web.problems import Problem, problem_type

# A tier may be a text that a client wrote: so many unknown ones are logged, and no more.
_MOST_TOLD = 100


def _tier(caller: Caller) -> str | None:
    return caller.tier


@dataclass(frozen=True, slots=True, eq=False)
class Tiers:
    """A table of rates by the caller's tier, for any limit's `rate`.

    Args:
        rates: rates by tier, as the limit takes them: `{"free": "10/s", "pro": "100/s"}`.
        default: the tier of callers of whom none is known.
        of: finds a caller's tier; `caller.tier` if left out.

    Raises:
        ConfigurationError: the table is empty, a rate can't be read, or the default isn't in the table.
    """

    rates: Mapping[str, str]
    default: str
    of: Callable[[Caller], str | None] = _tier
    least: str = field(init=False)
    _told: set[str] = field(init=False, repr=False, default_factory=set)

    def __post_init__(self) -> None:
        rates = dict(self.rates)
        if self.default not in rates:
            raise ConfigurationError(
                "Tiers(default=…)", f"{self.default!r} isn't in the table; write one of {sorted(rates)}"
            )
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "least", min(rates.values(), key=_speed))

    def __call__(self, caller: Caller) -> str:
        """Return the caller's rate."""
        tier = self.of(caller)
        if tier is None:
            return self.rates[self.default]
        found = self.rates.get(str(tier))
        if found is not None:
            return found
        named = repr(tier)[:100]
        if named not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(named)
            logger().error("a tier is unknown", extra={"tier": named, "known": sorted(self.rates), "rate": self.least})
        return self.least


def _speed(text: object) -> Fraction:
    """Return units in a microsecond."""
    try:
        rate = Rate.parse(re.sub(r"month\s*$", "31d", str(text)))
    except ValueError as error:
        raise ConfigurationError("Tiers(…)", str(error)) from error
    return Fraction(rate.count, rate.period_us)


def limit_for(limit: Limit, caller: Caller) -> Limit | Problem:
    """Return a limit with the caller's own rate, or the problem to respond with.

    Args:
        limit: one whose rate depends on the caller.
        caller: who asks.
    """
    try:
        rate = cast("Any", limit).rate(caller)
        return _with_rate(limit, rate)
    except ConfigurationError as error:
        logger().error("a rate is none", extra={"limit": limit.label, "detail": str(error)})
    except TypeError as error:  # a result that can't be hashed is no rate either
        logger().exception("a rate can't be computed", extra={"limit": limit.label, "detail": str(error)})
    except Exception as error:  # noqa: BLE001  any exception is the function's fault, not a store's
        if (problem := problem_raised(error)) is not None:
            return problem
        logger().exception("a rate can't be computed", extra={"limit": limit.label})
    detail = "The rate that this caller may ask at can't be computed; the request was not run, and it has been logged."
    return Problem(500, problem_type("rate-unknown"), "Rate unknown", detail)


@lru_cache(maxsize=4096)
def _with_rate(limit: Limit, rate: str) -> Limit:
    if not isinstance(rate, str):
        raise ConfigurationError(f"{type(limit).__name__}(rate=…)", f"it returned {rate!r}; return '10/s', say")
    return replace(limit, **cast("Any", {"rate": rate}))


def period_of(declared: Limit, limit: Limit) -> str:
    """Return what tells apart the states of windows whose lengths a function chooses: none can be read as another."""
    window_ms = getattr(getattr(limit, "window", None), "window_ms", None)
    rate = cast("Any", declared).rate
    return "" if window_ms is None or isinstance(rate, Tiers) else f"{window_ms}ms"
