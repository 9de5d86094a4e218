"""What lies between an environment and a server: cut lines, lost writes, lost acknowledgements, and other people."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from tidegate.errors import StoreUnavailableError

Result = TypeVar("Result")
Loss = Literal["write", "acknowledgement"]


@dataclass
class Power:
    """Whether a server runs."""

    up: bool = True


@dataclass
class Link:
    """One environment's way to one server.

    `meanwhile` is called before and after every effect: there the simulation lets the rest of the world go on.
    """

    store: str
    server: Power
    meanwhile: Callable[[], None]
    counted: Counter[str]
    cut: bool = False
    dead: bool = False
    losses: deque[Loss] = field(default_factory=deque)

    def through(self, effect: Callable[[], Result]) -> Result:
        """Make a call's effect on the server, and bring its answer back."""
        if self.dead:  # a crashed environment's last coroutines end; nothing of it is ever heard
            raise self._lost("reset")
        self.meanwhile()
        if self.cut or not self.server.up:
            raise self._lost("refused")
        loss = self.losses.popleft() if self.losses else None
        if loss == "write":
            raise self._lost("lost write")
        result = effect()
        self.meanwhile()
        if loss == "acknowledgement" or self.dead:
            raise self._lost("lost acknowledgement")
        return result

    def _lost(self, why: str) -> StoreUnavailableError:
        self.counted[f"{self.store} call: {why}"] += 1
        return StoreUnavailableError(self.store, "refused" if why == "refused" else "reset", why)
