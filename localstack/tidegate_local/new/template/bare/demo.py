"""What `make demo` asks for: docs/project.md of Tidegate describes each member."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tidegate_local.scenarios.demo import Change, Clients
from tidegate_local.scenarios.traffic import Asking, Flow, RateLimit
from tidegate_local.state import LocalState

HELLO = "/v1/hello"
# As api/hello.py has it.
LIMIT = RateLimit(per_s=5, burst=10)
SOURCE = "api/hello.py"
# Lines at the end of SOURCE, which make a version that is worse.
_WORSE = """
import random as _random
import time as _time

_plain = greeting


def greeting() -> str:
    _time.sleep({seconds})
    if _random.random() < {share}:
        raise RuntimeError("a release that is bad on purpose")
    return _plain()
"""


def _hello(tier: str, per_s: float, limit: RateLimit | None = None) -> Flow:
    return Flow(f"hello of {tier}", tier, per_s, lambda _: Asking("GET", HELLO), most=4, limit=limit)


class HelloClients:
    """Clients that say hello."""

    def outage(self, *, brief: bool) -> list[Flow]:
        """Ask for more than the limit allows, beside others that stay within it."""
        return [_hello("pro", 8, LIMIT), _hello("internal", 2 if brief else 4)]

    def calm(self) -> list[Flow]:
        """Ask for a little."""
        return [_hello("free", 1), _hello("pro", 2), _hello("internal", 2)]

    def burst(self) -> list[Flow]:
        """Ask ten times as much."""
        return [_hello("free", 40), _hello("pro", 10)]

    def surge(self) -> list[Flow]:
        """Ask for as much as the edge lets pass."""
        return [_hello("free", 15), _hello("pro", 35)]

    def release(self, per_s: float) -> list[Flow]:
        """Ask for what a bad version fails."""
        return [_hello("internal", per_s)]

    def done(self) -> dict[str, int]:
        """Count no writes: there are none."""
        return {}


class Demo:
    """The project's part of the scenarios."""

    warming: Sequence[str] = ("/health/ready", HELLO)
    source: str = SOURCE

    def check(self, state: LocalState) -> None:
        """See that the demo can be played: it always can."""

    @contextmanager
    def clients(self, state: LocalState) -> Iterator[Clients]:
        """Return the clients; they need no data."""
        del state
        yield HelloClients()

    def reading(self, turn: int) -> Asking:
        """Read what no copy answers."""
        del turn
        return Asking("GET", HELLO)

    def failing(self, share: float) -> Change:
        """Make a version that fails this share of its answers."""
        return Change(SOURCE, _WORSE.format(seconds=0, share=share), f"fails {share:.0%} of its answers", "hello")

    def slow_reads(self, seconds: float) -> Change:
        """Make a version whose answers take so long."""
        lines = _WORSE.format(seconds=seconds, share=0)
        return Change(SOURCE, lines, f"takes {seconds * 1000:.0f} ms to say hello")


DEMO = Demo()
