"""Concurrency slots while a request runs: their leases are renewed, in whatever store decides by then.

A slot was taken in the one question, and is given back when the request settles. In between only a request that
runs longer than a third of its lease costs anything: a renewal, as a task on the event loop. A handler that blocks
the loop (an `async def` that never awaits) can't be renewed; let the lease be longer than it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from starlette.types import Receive

from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.limits.concurrency import Slots
from tidegate.messages import Charge
from tidegate.web.asgi import ResponseSender
from tidegate.web.uploads import Uploads


@asynccontextmanager
async def kept(held: tuple[Charge, ...], subject: str, environment: Environment) -> AsyncIterator[None]:
    """Renew the leases of these slots until the block ends.

    Args:
        held: the slots as charges of no cost.
        subject: whose they are.
        environment: whose stores to ask. After a change of store the slots are taken anew in the one that decides
            then, beyond its limit if need be: who runs, counts.
    """
    renewing = asyncio.create_task(_renew(held, subject, environment))
    environment.held[held] = subject
    try:
        yield
    finally:
        environment.held.pop(held, None)
        renewing.cancel()


@contextmanager
def waited_for(uploads: Uploads | None, receive: Receive, out: ResponseSender, *, read: bool) -> Iterator[Receive]:
    """Wait for the client no longer than a body or an answer may take, while a slot is held; yield the `receive`.

    A slot that is held by one who never ends would be lost to all others.

    Args:
        uploads: all that is waited for; None where nothing is.
        receive: the server's.
        out: the way to the client.
        read: whether the body was read already.
    """
    if uploads is None:
        yield receive
        return
    with out.through(uploads.taken):
        if read:
            yield receive
            return
        upload = uploads.during(receive)
        try:
            yield upload
        finally:
            upload.close()


def free_all(environment: Environment) -> None:
    """Free the slots of all requests that run: the environment ends before they do."""
    while environment.held:
        held, subject = environment.held.popitem()
        freed = tuple(charge._replace(cost=-1) for charge in held)
        with suppress(StoreUnavailableError):  # their leases end by themselves
            environment.stores.correct(environment.stores.current, subject, freed)


async def _renew(held: tuple[Charge, ...], subject: str, environment: Environment) -> None:
    every_s = renewed_every_s(held)
    while True:
        await asyncio.sleep(every_s)
        with suppress(StoreUnavailableError):  # the lease stands for two more tries
            await environment.call(lambda: environment.stores.correct(environment.stores.current, subject, held))


def renewed_every_s(held: Sequence[Charge]) -> float:
    """Seconds after which slots are renewed: a third of their lease, so that one lost renewal does no harm."""
    return min(charge.rule.lease_us for charge in held if isinstance(charge.rule, Slots)) / 3_000_000
