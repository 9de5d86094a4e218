"""The routes of queued requests: to read one's state and response, and to cancel it. Only its owner can.

The queued route's own dependencies don't run here. A response is guarded by an unguessable id; by the principal of the
request, and its credentials where the principal doesn't express them; by the policy of `protect(default=…)`; and by the
application's own middleware. Everybody else gets a 404, which doesn't reveal that the request exists.

    GET    202 while it is queued or runs, with `Retry-After`; then the handler's response itself;
           410 if it has expired or was cancelled, 500 if it could not be run
    DELETE 204 if it was still queued, or is cancelled already; 409 if it has begun or ended

Every response has `Tidegate-Request-State`, which tells a 202 of the handler from a 202 of the queue.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from tidegate.environment import Environment
from tidegate.errors import StoreUnavailableError
from tidegate.overflow.response import NO_STORE, decoded, served
from tidegate.overflow.state import STATE_FIELD, QueuedItem, RequestState
from tidegate.web.problems import Headers, Problem, problem_headers, problem_type, reduced_capacity, retry_after_s

if TYPE_CHECKING:
    from tidegate.overflow.queue import RequestQueue

_LONGEST_POLL_S = 30
_OTHERS = ["HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]


def requests_router(path: str, environment: Callable[[], Environment]) -> APIRouter:
    """Return the routes below a path, for the application to include.

    Args:
        path: such as `/v1/requests`.
        environment: returns the environment that holds the queue.
    """
    router = APIRouter(prefix=path, tags=["requests"])

    @router.get("/{request_id}", operation_id="readRequest", summary="Read a queued request's answer", **_READ)
    async def read_request(request: Request) -> Response:
        """Return 202 while the request waits or runs, then its response."""
        return await _for_owner(environment(), request, _read)

    @router.delete("/{request_id}", operation_id="cancelRequest", summary="Cancel a queued request", **_CANCEL)
    async def cancel_request(request: Request) -> Response:
        """Cancel the request, if it hasn't begun; safe to repeat."""
        return await _for_owner(environment(), request, _cancel)

    @router.api_route("/{request_id}", methods=_OTHERS, include_in_schema=False)
    async def refuse_method() -> Response:
        # Starlette's own 405 would name the first route's methods alone.
        return _problem(Problem(405, "about:blank", "Method Not Allowed", None, ((b"allow", b"DELETE, GET"),)))

    return router


_PENDING = {
    "type": "object",
    "properties": {"state": {"enum": ["queued", "running"]}, "position": {"type": "integer", "minimum": 1}},
    "required": ["state"],
}
_ID = {"name": "request_id", "in": "path", "required": True, "schema": {"type": "string"}}


def _problems(described: dict[int | str, str]) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": {"type": "object"}}}
    return {status: {"description": text, "content": content} for status, text in described.items()}


_MISSING: dict[int | str, str] = {404: "None of that name, or somebody else's."}
_READ: dict[str, Any] = {
    "response_class": Response,
    "status_code": 202,
    "openapi_extra": {"parameters": [_ID]},
    "responses": {
        202: {"description": "It waits or runs.", "content": {"application/json": {"schema": _PENDING}}},
        **_problems({**_MISSING, 410: "It has expired or was cancelled.", 500: "It could not be run."}),
    },
}
_CANCEL: dict[str, Any] = {
    "response_class": Response,
    "status_code": 204,
    "openapi_extra": {"parameters": [_ID]},
    "responses": _problems({**_MISSING, 409: "It has begun, or ended."}),
}


async def _for_owner(
    environment: Environment,
    request: Request,
    answer: Callable[[RequestQueue, QueuedItem], Response],
) -> Response:
    queue, admission = environment.queue(), request.state.tidegate
    public_id, credentials = request.path_params["request_id"], admission.credentials(request.scope)

    def answered() -> Response:
        item = None if queue is None else queue.find_public(public_id)
        if queue is None or item is None or not item.belongs_to(admission.principal, credentials):
            return _problem(Problem(404, problem_type("request-not-found"), "Request not found"))
        return answer(queue, item)

    try:
        return await environment.call(answered)
    except StoreUnavailableError:
        return _problem(reduced_capacity("Queued requests can't be read now."))


def _read(queue: RequestQueue, item: QueuedItem) -> Response:
    state = item.state_at(queue.now_ms())
    match state:
        case "queued" | "running":
            return _pending(state, queue.position(item))
        case "done":
            return _done(queue.record(item))
        case "failed":
            return _problem(_failed(item), state)
        case _:
            return _problem(_GONE[state], state)


def _cancel(queue: RequestQueue, item: QueuedItem) -> Response:
    if queue.close(item, "cancelled"):
        return Response(status_code=204, headers=_state_fields("cancelled"))
    now = queue.find(item.id)
    state = item.state if now is None else now.state
    if state == "cancelled":
        return Response(status_code=204, headers=_state_fields(state))
    return _problem(_too_late(state), state)


def _pending(state: RequestState, position: int) -> Response:
    members = {"state": state, **({"position": position} if state == "queued" else {})}
    wait_s = retry_after_s(min(position, _LONGEST_POLL_S) * 1_000_000)
    headers = {**_state_fields(state), "retry-after": str(wait_s)}
    return Response(json.dumps(members), 202, headers, "application/json")


def _done(record: bytes) -> Response:
    stored = decoded(record)
    if stored is None:
        return _problem(_NOT_KEPT, "done")
    response = Response(stored.body, stored.status)
    response.raw_headers = [*served(stored), (STATE_FIELD, b"done")]
    return response


def _problem(problem: Problem, state: RequestState | None = None) -> Response:
    response = Response(problem.body(), problem.status)
    state_fields: Headers = () if state is None else ((STATE_FIELD, state.encode()),)
    response.raw_headers = [*problem_headers(problem), NO_STORE, *state_fields]
    return response


def _state_fields(state: RequestState) -> dict[str, str]:
    return {STATE_FIELD.decode(): state, NO_STORE[0].decode(): NO_STORE[1].decode()}


def _failed(item: QueuedItem) -> Problem:
    if item.unreadable:
        return _UNREADABLE
    return _FAILED._replace(detail=f"It isn't run: {item.reason}.") if item.reason else _FAILED


def _too_late(state: RequestState) -> Problem:
    return Problem(
        409, problem_type("request-begun"), "Request begun", f"It is {state}, and can't be cancelled any more."
    )


_FAILED = Problem(
    500, problem_type("request-failed"), "Request failed", "It was begun several times, and its run never ended."
)
_UNREADABLE = Problem(
    500, problem_type("request-failed"), "Request failed", "What is kept of it can't be read; it isn't run."
)
_NOT_KEPT = Problem(
    409,
    problem_type("response-not-kept"),
    "Response not kept",
    "It has run; its answer was too large to be kept, or can't be read any more.",
)
_GONE = {
    "expired": Problem(410, problem_type("request-expired"), "Request expired", "It waited too long, and was not run."),
    "cancelled": Problem(410, problem_type("request-cancelled"), "Request cancelled", "It was not run."),
}
