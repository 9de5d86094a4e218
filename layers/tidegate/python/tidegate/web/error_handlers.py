"""The application's errors as problem details: those that it raises, those of its router, and unhandled ones."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope

from tidegate.errors import ProblemError
from tidegate.telemetry import logger
from tidegate.web.asgi import ResponseRecorder
from tidegate.web.problems import UNHANDLED, Problem, problem_type

# Where the guard leaves the fields of the response to an exception that passes on.
FIELDS = "tidegate.fields"
_BODILESS = frozenset({204, 205, 304})


def install(app: FastAPI) -> None:
    """Register the handlers, where the application has none of its own."""
    app.exception_handlers.setdefault(ProblemError, _on_problem)
    for error, handler in ((HTTPException, _on_http), (RequestValidationError, _on_invalid)):
        if app.exception_handlers.get(error) is None or _is_fastapis_own(app.exception_handlers[error]):
            app.exception_handlers[error] = handler
    if _last_handler(app.exception_handlers) is None:
        app.exception_handlers[Exception] = _on_unhandled


def _last_handler(handlers: Mapping[Any, Any]) -> Any:
    """Return the handler of what no other handles, as Starlette finds it; None if there is none."""
    return next((handler for error, handler in reversed([*handlers.items()]) if error in {500, Exception}), None)


def _is_fastapis_own(handler: Any) -> bool:
    return str(getattr(handler, "__module__", "")).startswith("fastapi.")


def _respond(problem: Problem) -> Response:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in problem.headers}
    return Response(problem.body(), problem.status, headers, media_type="application/problem+json")


def _pairs(headers: Any) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((k.lower().encode("latin-1"), str(v).encode("latin-1")) for k, v in (headers or {}).items())


def problem_response(error: ProblemError) -> Response:
    """Return the response to an error, for an application's own exception handlers."""
    headers = _pairs(error.headers)
    return _respond(
        Problem(error.status, problem_type(error.type), error.title, error.detail, headers, error.extensions)
    )


async def _on_problem(_: Request, error: Exception) -> Response:
    if not isinstance(error, ProblemError):
        raise error
    return problem_response(error)


async def _on_http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code in _BODILESS:
        return Response(status_code=error.status_code, headers=error.headers)
    title, detail = _phrase(error.status_code), cast("Any", error.detail)
    text = detail if isinstance(detail, str) and detail != title else None
    extensions = {} if isinstance(detail, str) else {"errors": detail}
    return _respond(Problem(error.status_code, "about:blank", title, text, _pairs(error.headers), extensions))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a status that isn't registered has no phrase
        return "Error"


async def _on_invalid(_: Request, error: Exception) -> Response:
    """Respond 400 to a body that isn't JSON, and 422 to one that isn't valid; never echo the input."""
    if not isinstance(error, RequestValidationError):
        raise error
    faults = error.errors()
    unreadable = any(fault["type"] == "json_invalid" for fault in faults)
    places = [{"in": [str(part) for part in fault["loc"]], "message": fault["msg"]} for fault in faults]
    if unreadable:
        return _respond(
            Problem(
                400,
                problem_type("body-not-json"),
                "Body is not JSON",
                places[0]["message"],
                (),
                {"errors": places},
            )
        )
    return _respond(
        Problem(422, problem_type("invalid-request"), "Invalid request", _first(places), (), {"errors": places})
    )


def _first(places: list[dict[str, Any]]) -> str | None:
    return f"{'.'.join(places[0]['in'])}: {places[0]['message']}" if places else None


async def _on_unhandled(request: Request, _: Exception) -> Response:
    return _respond(UNHANDLED._replace(headers=request.scope.get(FIELDS, ())))


async def answer_unhandled(error: Exception, scope: Scope, receive: Receive, send: ResponseRecorder) -> None:
    """Respond to an unhandled exception by the application's own handler, or with a 500 that reveals nothing of it."""
    handler = _last_handler(getattr(scope.get("app"), "exception_handlers", {}))
    if handler is not None and handler is not _on_unhandled:
        try:
            response = handler(Request(scope), error)
            response = await response if hasattr(response, "__await__") else response
            await response(scope, receive, send)
        except Exception:  # noqa: BLE001  the application's last handler has failed, so the 500 below is sent
            logger().exception("the application's own handler of exceptions failed")
    if not send.started:
        await _respond(UNHANDLED)(scope, receive, send)
