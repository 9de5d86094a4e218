"""Where a queued request is looked for: how far it is, its answer, and its cancellation. Only its owner finds it.

    GET    202 while it is queued or runs, with `Retry-After`; then the answer itself, as the handler gave it;
           410 if it has expired or was cancelled, 500 if it could not be run
    DELETE 204 if it was still queued, or is cancelled already; 409 if it has begun or ended

Every answer says `Tidegate-Request-State`, by which a client tells an answer's own 202 from this one's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from tidegate.errors import StoreUnavailableError
from tidegate.http import Headers, Problem, problem_headers, problem_type, reduced_capacity, retry_after_s
from tidegate.lifecycle import Environment
from tidegate.mechanisms.request_state import STATE_FIELD, QueuedItem, RequestState
from tidegate.record import StoredResponse

if TYPE_CHECKING:
    from tidegate.mechanisms.request_queue import RequestQueue

_LONGEST_POLL_S = 30
_OTHERS = ["HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]


def requests_router(path: str, environment: Callable[[], Environment]) -> APIRouter:
    """Return the routes below a path, for the application to include.

    Args:
        path: such as `/v1/requests`.
        environment: where the queue is.
    """
    router = APIRouter(prefix=path, tags=["requests"])

    @router.get("/{request_id}", operation_id="readRequest", summary="Read a queued request's answer", **_READ)
    async def read_request(request: Request) -> Response:
        """Answer 202 while it waits or runs, then exactly as the request itself was answered."""
        return await _for_owner(environment(), request, _read)

    @router.delete("/{request_id}", operation_id="cancelRequest", summary="Cancel a queued request", **_CANCEL)
    async def cancel_request(request: Request) -> Response:
        """Cancel it, if it hasn't begun; doing so again changes nothing."""
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
    queue, principal = environment.queue(), request.state.tidegate.principal
    request_id = request.path_params["request_id"]

    def answered() -> Response:
        item = None if queue is None else queue.find(request_id)
        if queue is None or item is None or item.principal != principal:
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
            return _done(StoredResponse.decode(queue.record(item)))
        case "failed":
            return _problem(_FAILED, state)
        case _:
            return _problem(_GONE[state], state)


def _cancel(queue: RequestQueue, item: QueuedItem) -> Response:
    if queue.close(item, "cancelled"):
        return Response(status_code=204, headers=_said("cancelled"))
    now = queue.find(item.id)
    state = item.state if now is None else now.state
    if state == "cancelled":
        return Response(status_code=204, headers=_said(state))
    return _problem(_too_late(state), state)


def _pending(state: RequestState, position: int) -> Response:
    members = {"state": state, **({"position": position} if state == "queued" else {})}
    wait_s = retry_after_s(min(position, _LONGEST_POLL_S) * 1_000_000)
    headers = {**_said(state), "retry-after": str(wait_s), "cache-control": "no-store"}
    return Response(json.dumps(members), 202, headers, "application/json")


def _done(stored: StoredResponse) -> Response:
    if stored.body is None:
        return _problem(_NOT_KEPT, "done")
    response = Response(stored.body, stored.status)
    response.raw_headers = [*stored.headers, (STATE_FIELD, b"done")]
    return response


def _problem(problem: Problem, state: RequestState | None = None) -> Response:
    response = Response(problem.body(), problem.status)
    said: Headers = () if state is None else ((STATE_FIELD, state.encode()),)
    response.raw_headers = [*problem_headers(problem), *said]
    return response


def _said(state: RequestState) -> dict[str, str]:
    return {STATE_FIELD.decode(): state}


def _too_late(state: RequestState) -> Problem:
    return Problem(
        409, problem_type("request-begun"), "Request begun", f"It is {state}, and can't be cancelled any more."
    )


_FAILED = Problem(
    500, problem_type("request-failed"), "Request failed", "It was begun several times, and its run never ended."
)
_NOT_KEPT = Problem(409, problem_type("response-not-kept"), "Response not kept", "The answer was too large to be kept.")
_GONE = {
    "expired": Problem(410, problem_type("request-expired"), "Request expired", "It waited too long, and was not run."),
    "cancelled": Problem(410, problem_type("request-cancelled"), "Request cancelled", "It was not run."),
}
