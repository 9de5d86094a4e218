"""What every limit has: its cost, its name, whose it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tidegate.algorithms.decision import Rule
from tidegate.errors import ConfigurationError
from tidegate.units import Rate, duration_us

Per = Literal["principal", "organisation", "ip", "route"]
# What a request costs: units, or a function of its ASGI scope that says how many.
Cost = int | Callable[[Mapping[str, Any]], int]
LARGEST_QUOTA = 10**14  # well within the 15 digits of a structured field's Integer


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(ABC):
    """What every limit has.

    Args:
        cost: units that one request spends; or a function of the ASGI scope that returns them, at least 0.
        name: how the limit is called in the RateLimit fields and in the store; its numbers if left out. A named
            limit keeps its state when its numbers or its place in the list change, and can be changed at run time.
        per: whose limit it is: each `principal`'s; each `organisation`'s (what `identify` says; a caller without one
            is not limited by it); each `ip`'s, for callers that are otherwise unknown, and for nobody else; or the
            whole `route`'s, all callers together.
        shared: whether all routes that declare a limit of this name share it; else each route has its own.
        shadow: whether it only reports: it is charged while it admits, shown in logs, and refuses nobody.

    Raises:
        ConfigurationError: an argument can't be used; it names it.
    """

    cost: Cost = 1
    name: str | None = None
    per: Per = "principal"
    shared: bool = False
    shadow: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.cost, int) and self.cost < 1:
            raise self._wrong("cost", f"{self.cost} charges nothing; write 1 or more")
        if self.name is not None and not (self.name.isascii() and self.name.isprintable() and self.name):
            raise self._wrong("name", "write printable ASCII: it is sent in a header field")
        if self.per not in get_args(Per):
            raise self._wrong("per", f"{self.per!r} is unknown; write one of {get_args(Per)}")
        if self.shared and self.name is None:
            raise self._wrong("shared", "routes share a limit by its name; write name=…, too")

    @property
    def of_the_moment(self) -> bool:
        """Whether what is asked of it differs from request to request: by the time, or by who holds it."""
        return callable(self.cost)

    @property
    def label(self) -> str:
        """The limit's name in header fields, problems and logs."""
        return self.name or self.numbers

    @property
    @abstractmethod
    def numbers(self) -> str:
        """What the limit allows, in few characters."""

    @property
    @abstractmethod
    def window_s(self) -> int:
        """The window that the RateLimit-Policy field states, in whole seconds; 0: it states none."""

    @property
    @abstractmethod
    def quota(self) -> int:
        """Units that fit into that window."""

    @abstractmethod
    def rule(self, now_us: int, zone: str | None = None) -> Rule:
        """Return the algorithm with its numbers, as of a moment, for a caller in a time zone."""

    def _wrong(self, argument: str, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{type(self).__name__}({argument}=…)", problem)

    def _rate(self, text: str) -> Rate:
        try:
            return Rate.parse(text)
        except ValueError as error:
            raise self._wrong("rate", str(error)) from error

    def _duration_us(self, argument: str, text: str) -> int:
        try:
            return duration_us(text)
        except ValueError as error:
            raise self._wrong(argument, str(error)) from error
