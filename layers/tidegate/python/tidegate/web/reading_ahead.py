"""Reading a body before its handler runs, within bounds of size and time; or the problem if it exceeds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope

from tidegate.web.body import Body, BodyTooLargeError, read_body
from tidegate.web.problems import Problem, problem_type

if TYPE_CHECKING:
    from tidegate.web.uploads import Uploads


class Reading:
    """Reads the body of one request.

    Args:
        scope: the request's.
        receive: the server's.
        uploads: bounds uploads; None if a body comes with its request, as on Lambda.
        principal: the request's.
    """

    def __init__(self, scope: Scope, receive: Receive, uploads: Uploads | None, principal: str) -> None:
        self._scope = scope
        self._receive = receive
        self._uploads = uploads
        self._principal = principal

    async def ahead(self, limit_bytes: int, seen: Callable[[bytes], None]) -> Body | Problem:
        """Read the whole body, and pass each piece to `seen` as it arrives."""
        try:
            if self._uploads is None:
                return await read_body(self._receive, limit_bytes, seen)
            return await self._uploads.read(
                self._scope, self._receive, self._principal, lambda receive: read_body(receive, limit_bytes, seen)
            )
        except BodyTooLargeError:
            return body_too_large(limit_bytes)
        except ConnectionError:
            return body_incomplete()


def body_too_large(limit_bytes: int) -> Problem:
    """Return the 413."""
    detail = f"This route reads at most {limit_bytes} bytes."
    return Problem(413, problem_type("body-too-large"), "Content too large", detail)


def body_incomplete() -> Problem:
    """Return the 400 for a client that disconnected while it was sending; nothing is claimed by then."""
    return Problem(400, problem_type("body-incomplete"), "Incomplete request", "The body was not sent whole.")
