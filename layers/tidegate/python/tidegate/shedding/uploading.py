"""Uploads, whose time doesn't count as work of the server.

A hundred slow uploads or idle websockets take next to no capacity. Counted as work, they would be demand, so that
others were refused, and their route would seem slow.
"""

from __future__ import annotations

from starlette.types import Message, Receive

from tidegate.shedding.shedder import SheddingTicket


class Uploading:
    """A `receive` that notes each wait for a body or a websocket's message; after a body it only passes messages on.

    Args:
        receive: the server's.
        ticket: the request's, in which waits are noted.
    """

    __slots__ = ("_receive", "_ticket", "_whole")

    def __init__(self, receive: Receive, ticket: SheddingTicket) -> None:
        self._receive = receive
        self._ticket = ticket
        self._whole = False

    async def __call__(self) -> Message:
        """Return the next message."""
        if self._whole:
            return await self._receive()
        with self._ticket.waiting():
            message = await self._receive()
        self._whole = message["type"].startswith("http") and not message.get("more_body", False)
        return message
