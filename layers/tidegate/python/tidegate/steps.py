"""What a decision asks of its stores, step by step, so that the same code serves a thread and an event loop.

A decision is a generator: it yields what has to be waited for, and is sent the result. Whoever drives it chooses how to
wait: by blocking, as on Lambda, or by awaiting, as on a server. Source: "Sans I/O" (sans-io.readthedocs.io).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeVar

Result = TypeVar("Result")
Threads = Callable[[Callable[[], Any]], Awaitable[Any]]


class Step(Protocol):
    """Something to wait for."""

    def block(self) -> Any:
        """Return the result once it is there."""

    def wait(self, threads: Threads) -> Awaitable[Any]:
        """Return what an event loop awaits.

        Args:
            threads: runs a blocking call on a thread.
        """


Steps = Generator[Step, Any, Result]


class BlockingStep(NamedTuple):
    """A call that can only block, such as one of botocore's."""

    call: Callable[[], Any]

    def block(self) -> Any:
        """Make the call."""
        return self.call()

    def wait(self, threads: Threads) -> Awaitable[Any]:
        """Make the call on a thread."""
        return threads(self.call)


def blocking(call: Callable[[], Result]) -> Steps[Result]:
    """Return a blocking call as the only step."""
    result: Result = yield BlockingStep(call)
    return result


def run(steps: Steps[Result]) -> Result:
    """Drive steps to their result, on this thread."""
    try:
        step = next(steps)
        while True:
            try:
                result = step.block()
            except BaseException as error:  # noqa: BLE001  the steps decide what becomes of it
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def run_on_loop(steps: Steps[Result], threads: Threads) -> Result:
    """Drive steps to their result, on the running event loop.

    Args:
        steps: the steps.
        threads: runs a blocking call on a thread.
    """
    try:
        step = next(steps)
        while True:
            try:
                result = await step.wait(threads)
            except BaseException as error:  # noqa: BLE001  as in `run`; a cancellation is among them
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
