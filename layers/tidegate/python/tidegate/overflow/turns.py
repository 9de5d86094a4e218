"""The order of one batch's messages: each principal's in their own order, and the principals round-robin.

SQS fills a batch with one principal's messages first. In the order of arrival, all others would wait for that
principal's runs, and for each wait between them. So each principal's next message goes to the end of the round, and the
worker sleeps only if no message is due.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Message = TypeVar("Message")


@dataclass(slots=True)
class Line(Generic[Message]):
    """One principal's messages of a batch, in order.

    Attributes:
        messages: those that aren't done yet.
        absence_us: for how many microseconds the first of them is put off; None: it isn't.
        fault: the exception that the first of them has raised.
    """

    messages: deque[Message] = field(default_factory=deque)
    absence_us: int | None = None
    fault: Exception | None = None
    due_s: float = 0.0
    waited_us: int = 0


async def take_in_turn(
    lines: Iterable[Line[Message]],
    attempt: Callable[[Message], Awaitable[int | None]],
    patience_us: int,
    is_late: Callable[[], bool],
) -> None:
    """Run the messages of all lines as far as possible; those left in a line have to be received again.

    Args:
        lines: one for each principal.
        attempt: tries a message; returns after how many microseconds to try again, or None if it is done.
        patience_us: how long this invocation waits for one message; microseconds.
        is_late: returns whether the invocation has too little time left to begin a run.
    """
    now_s = asyncio.get_running_loop().time
    turns = deque(line for line in lines if line.messages)
    while turns:
        if is_late():
            for line in turns:
                line.absence_us = max(0, round((line.due_s - now_s()) * 1_000_000))
            return
        due = next((line for line in turns if line.due_s <= now_s()), None) or min(turns, key=lambda each: each.due_s)
        if due.due_s > now_s():
            await asyncio.sleep(due.due_s - now_s())
            continue
        turns.remove(due)
        if await _advances(due, attempt, patience_us, now_s):
            turns.append(due)


async def _advances(
    line: Line[Message],
    attempt: Callable[[Message], Awaitable[int | None]],
    patience_us: int,
    now_s: Callable[[], float],
) -> bool:
    """Try a line's next message; False if the line has no further turn."""
    try:
        wait_us = await attempt(line.messages[0])
    except Exception as fault:  # noqa: BLE001  it is reported as the failure of this message alone
        line.fault = fault
        return False
    if wait_us is None:
        line.messages.popleft()
        line.waited_us = 0
        return bool(line.messages)
    line.waited_us += wait_us
    if line.waited_us > patience_us:
        line.absence_us = wait_us
        return False
    line.due_s = now_s() + wait_us / 1_000_000
    return True
