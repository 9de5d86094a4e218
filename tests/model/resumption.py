"""Library code that asks stores, cut into steps: between two of its calls anything else may happen.

A program is run anew for each step, with the replies that it has had so far, up to the first call that has none yet.
So a model's state holds replies, and no frames: the library's code is called as it is, and needs no hooks. Code that
is run so must come to the same calls by the same replies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

from tidegate.errors import StoreUnavailableError

Result = TypeVar("Result")
Lost = Callable[[str], Exception]


class Reply(NamedTuple):
    """What a store said, or that nothing was heard.

    Attributes:
        at: the model's time at which the caller goes on.
        value: the store's answer.
        lost: whether none came.
    """

    at: int
    value: Hashable = None
    lost: bool = False


class Call(NamedTuple):
    """A call that a program waits for.

    Attributes:
        store: whom it asks: `redis` or `dynamodb`.
        asks: the store's part of the model knows what to do with it.
    """

    store: str
    asks: Any


class Ended(NamedTuple):
    """A program's result."""

    result: Any


class WaitingError(BaseException):
    """The program waits here; no library code may take that for a fault."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


class Outside:
    """The world as a program sees it: its stores' replies, and the time.

    Args:
        began: the model's time at which the program began.
        replies: what it was told, in order.
        lost: makes the error of a call that nothing is heard of.
    """

    def __init__(self, began: int, replies: Sequence[Reply], lost: Lost) -> None:
        self.now = began
        self._replies, self._lost = iter(replies), lost

    def ask(self, store: str, asks: Any) -> Any:
        """Make a call.

        Raises:
            Exception: nothing was heard.
        """
        reply = next(self._replies, None)
        if reply is None:
            raise WaitingError(Call(store, asks))
        self.now = reply.at
        if reply.lost:
            raise self._lost(store)
        return reply.value


def unavailable(store: str) -> Exception:
    """Return the library's error for a store that isn't heard."""
    return StoreUnavailableError(store, "reset", "lost in the model")


def resumed(
    program: Callable[[Outside], Any], began: int, replies: Sequence[Reply], lost: Lost = unavailable
) -> Call | Ended:
    """Run a program up to the call that it waits for, or to its end."""
    try:
        return Ended(program(Outside(began, replies, lost)))
    except WaitingError as waiting:
        return waiting.call


def awaited(awaitable: Awaitable[Result]) -> Result:
    """Return what a coroutine returns that never really waits."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as ended:
        result: Result = ended.value
        return result
    raise RuntimeError("it waits for something that isn't a store's reply")
