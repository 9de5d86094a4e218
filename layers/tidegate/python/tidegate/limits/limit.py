"""What every limit has: a cost, a name, and the callers that it counts together."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from tidegate.decision import Rule
from tidegate.errors import ConfigurationError
from tidegate.units import Rate, duration_us

if TYPE_CHECKING:
    from tidegate.identity.caller import Caller

Per = Literal["principal", "organisation", "ip", "route"]
# A request's cost: units, or a function of its ASGI scope that returns them.
Cost = int | Callable[[Mapping[str, Any]], int]
# A limit's rate: a text, or a function of the caller that returns one; see `tiers`.
Rates = str | Callable[["Caller"], str]
# What stands for such a rate until the caller is known: so little that a mistake admits nobody.
STAND_IN = "1/day"
BY_CALLER = "by-caller"
# Well within the 15 digits of a structured field's Integer, and the 2^53 up to which Lua's doubles are whole.
LARGEST_QUOTA = 10**14


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(ABC):
    """The base class of limits.

    Args:
        cost: units that one request spends; or a function of the ASGI scope that returns them, at least 0. A request
            that costs more than the limit can ever admit at once is refused for good. The function may raise a
            `ProblemError` or an `HTTPException`, which becomes the response. After any other exception, or a return
            value that is no whole number, the response is 500, and the error is logged.
        name: the limit's name in the RateLimit fields and in the store; its numbers if left out. A named limit keeps
            its state when its numbers or its place in the list change, and can be changed at run time.
        per: the callers that are counted together: each `principal`; each `organisation` (from `identify`; a caller
            without one isn't limited); each `ip`, for callers that are otherwise unknown, and for no others; or all
            callers of the `route`.
        shared: whether all routes that declare a limit of this name share it; else each route has its own.
        unit: what its units are, if not requests: `tokens`; it is the `qu` of the RateLimit-Policy field.
        shadow: whether it only reports: it is charged while it admits, its refusals are logged, and it refuses no
            request.

    Raises:
        ConfigurationError: an argument is wrong; the error names it.
    """

    cost: Cost = 1
    name: str | None = None
    per: Per = "principal"
    shared: bool = False
    shadow: bool = False
    unit: str | None = None

    def __post_init__(self) -> None:
        if callable(self.cost):
            self._check_function("cost", self.cost)
        else:
            self._check_whole("cost", self.cost, "charges nothing", LARGEST_QUOTA)
        if self.name is not None and not (self.name.isascii() and self.name.isprintable() and self.name):
            raise self._wrong("name", "write printable ASCII: it is sent in a header field")
        if self.unit is not None and not re.fullmatch(r"[a-z][a-z0-9-]{0,63}", str(self.unit)):
            raise self._wrong("unit", f"{self.unit!r} is no unit; write a word in small letters, such as 'tokens'")
        if self.per not in get_args(Per):
            raise self._wrong("per", f"{self.per!r} is unknown; write one of {get_args(Per)}")
        for argument, flag in (("shared", self.shared), ("shadow", self.shadow)):
            if not isinstance(flag, bool):
                raise self._wrong(argument, f"{flag!r} is neither True nor False")
        if self.shared and self.name is None:
            raise self._wrong("shared", "routes share a limit by its name; write name=…, too")

    @property
    def of_the_moment(self) -> bool:
        """Whether its charge differs from request to request: by its cost, its rate, the time, or its holder."""
        return callable(self.cost) or self.by_caller

    @property
    def by_caller(self) -> bool:
        """Whether its rate depends on the caller, so that `tiers.limit_for` must say it before it is asked."""
        return callable(getattr(self, "rate", None))

    @property
    def label(self) -> str:
        """The limit's name in header fields, problems and logs."""
        return self.name or self.numbers

    @property
    @abstractmethod
    def numbers(self) -> str:
        """A short text of the limit's numbers."""

    @property
    @abstractmethod
    def window_s(self) -> int:
        """The window that the RateLimit-Policy field states, in whole seconds; 0: it states none."""

    @property
    @abstractmethod
    def quota(self) -> int:
        """Units that fit into that window."""

    @property
    def never_admits(self) -> bool:
        """Whether the declared cost is above what is ever admitted at once, so that no request passes."""
        return not self.by_caller and isinstance(self.cost, int) and self.cost > 1 and self.cost > self.rule(0).most

    @abstractmethod
    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the algorithm with its numbers, as of a moment, for a caller in a time zone."""

    def _wrong(self, argument: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{type(self).__name__}({argument}=…)", problem)

    def _check_whole(self, argument: str, value: object, nothing: str, most: int) -> None:
        """Refuse anything but a whole number from 1 to `most`, the largest that every store can hold."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(argument, f"{value!r} is no whole number; write one, such as 10")
        if value < 1:
            raise self._wrong(argument, f"{value} {nothing}; write 1 or more")
        if value > most:
            raise self._wrong(argument, f"{value} is more than any store can keep; write at most {most}")

    def _check_function(self, argument: str, function: Callable[..., object]) -> None:
        from inspect import iscoroutinefunction  # noqa: PLC0415  few limits have such a cost

        if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004  its own code
            raise self._wrong(argument, "it is async, and nothing waits for it; write a plain function")

    def _check_rates(self, rates: Callable[..., object]) -> None:
        """Refuse a rate by caller that can't hold: all rates of a table are read as this limit reads its own."""
        self._check_function("rate", rates)
        if self.per == "route":
            raise self._wrong("rate", "all callers share a route's limit, so it has one rate; write it as a text")
        table = getattr(rates, "rates", {})
        again: Any = replace
        made: list[Limit] = [again(self, rate=text) for text in table.values()]
        if len({getattr(getattr(limit, "window", None), "window_ms", None) for limit in made}) > 1:
            raise self._wrong("rate", "a caller whose tier changes keeps his window; write all rates over one period")

    def _written(self, rate: Rates) -> str:
        return BY_CALLER if callable(rate) else "".join(rate.split())

    def _check_cost(self, advice: str = "write less") -> None:
        """Warn of a declared cost with which no request can ever pass."""
        if self.never_admits:
            from tidegate.telemetry import logger  # noqa: PLC0415  rarely needed

            most = self.rule(0).most
            detail = f"cost={self.cost} is above the {most} that are ever admitted at once; {advice}"
            logger().warning("a limit never admits", extra={"limit": self.label, "detail": detail})

    def _rate(self, text: Rates) -> Rate:
        if callable(text):
            self._check_rates(text)
            return Rate.parse(STAND_IN)
        if not isinstance(text, str):
            raise self._wrong("rate", f"{text!r} is no rate; write a count and a period, such as '20/s'")
        try:
            rate = Rate.parse(text)
        except ValueError as error:
            raise self._wrong("rate", str(error)) from error
        if rate.count > LARGEST_QUOTA:
            raise self._wrong("rate", f"{text!r} is more than any store can count; write at most {LARGEST_QUOTA}")
        return rate

    def _duration_us(self, argument: str, text: str) -> int:
        if not isinstance(text, str):
            raise self._wrong(argument, f"{text!r} is no duration; write a number and a unit, such as '30s'")
        try:
            return duration_us(text)
        except ValueError as error:
            raise self._wrong(argument, str(error)) from error
