"""The application's own body and status for what the guard refuses; the fields that a client needs are kept.

A response that was given before and is replayed isn't a refusal, and never comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Send

from tidegate.errors import ConfigurationError
from tidegate.telemetry import logger
from tidegate.web.asgi import respond, send_whole
from tidegate.web.problems import Problem
from tidegate.web.stored_response import StoredResponse


class Refusal(NamedTuple):
    """What the guard refuses, for the application to put in its own words.

    Attributes:
        status: the status that the guard would send.
        type: the problem's type, a URI.
        title: the class of problem.
        detail: a sentence on this occurrence.
        extensions: further members, such as `violated-policies`.
        retry_after_s: the seconds of `Retry-After`; None: it has none.
        scope: the request's ASGI scope.
        principal: who asks.
        route: the route's template.
    """

    status: int
    type: str
    title: str
    detail: str | None
    extensions: Mapping[str, Any]
    retry_after_s: int | None
    scope: Mapping[str, Any]
    principal: str
    route: str


# None: the problem is sent as it is.
Render = Callable[[Refusal], Response | None]
# One function for all, or one for a status or a problem's type.
Renders = Render | Mapping[int | str, Render]


def check_renders(renders: Renders) -> None:
    """Refuse what can't make a response.

    Raises:
        ConfigurationError: it is neither a plain function nor a mapping of such.
    """
    from inspect import iscoroutinefunction  # noqa: PLC0415  at start, and only with own refusals

    given: list[Any] = list(renders.values()) if isinstance(renders, Mapping) else [renders]
    for each in given:
        if not callable(each) or iscoroutinefunction(each):
            raise ConfigurationError(
                "protect(refusal=…)", f"{each!r} is no plain function of a Refusal that returns a Response"
            )


async def refuse(send: Send, problem: Problem, renders: Renders | None, refusal: Callable[[], Refusal]) -> None:
    """Send a refusal: in the application's words, if it has some.

    Args:
        send: the way to the client.
        problem: what is refused.
        renders: the application's.
        refusal: returns what it is given.
    """
    render = _render_of(renders, problem)
    response = None if render is None else _rendered(render, refusal())
    if response is None:
        await respond(send, problem)
        return
    ours = {name for name, _ in problem.headers}
    fields = tuple(field for field in response.headers if field[0] not in ours)
    await send_whole(send, response._replace(headers=(*fields, *problem.headers)))


def _render_of(renders: Renders | None, problem: Problem) -> Render | None:
    if isinstance(renders, Mapping):
        return renders.get(problem.type) or renders.get(problem.status)
    return renders


def _rendered(render: Render, refusal: Refusal) -> StoredResponse | None:
    """Return the application's response; None if it has none, or if that can't stand for a refusal."""
    try:
        response = render(refusal)
        if response is None:
            return None
        if response.status_code < 400:
            logger().error(
                "an own refusal isn't sent", extra={"detail": "its status is no error's", "type": refusal.type}
            )
            return None
        return StoredResponse(response.status_code, tuple(response.raw_headers), bytes(response.body))
    except Exception:  # noqa: BLE001  whatever it is, the client gets the problem
        logger().exception("an own refusal isn't sent", extra={"type": refusal.type})
        return None


def refusal_of(problem: Problem, scope: Mapping[str, Any], principal: str, route: str) -> Refusal:
    """Return a problem as the application is given it."""
    seconds = dict(problem.headers).get(b"retry-after")
    retry_after_s = int(seconds) if seconds is not None and seconds.isdigit() else None
    return Refusal(
        problem.status,
        problem.type,
        problem.title,
        problem.detail,
        problem.extensions,
        retry_after_s,
        scope,
        principal,
        route,
    )
