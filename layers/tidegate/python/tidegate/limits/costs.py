"""A request's cost where a function of the application computes it: it must be a whole number of units.

A function that raises, or returns anything else, is the application's fault, whatever the client has sent. The response
is 500, the error is logged and nothing is charged: a 4xx would make the client look for a fault of its own. For a fault
of the client's, the function raises a `ProblemError` or `HTTPException`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import index
from typing import Any, SupportsIndex

from starlette.exceptions import HTTPException

from tidegate.decision import MOST_UNITS
from tidegate.errors import ProblemError
from tidegate.limits.limit import Limit
from tidegate.telemetry import logger
from tidegate.web.problems import Problem, problem_type


def cost_of(limit: Limit, function: Callable[[Mapping[str, Any]], int], scope: Mapping[str, Any]) -> int | Problem:
    """Return the units that a request costs a limit, or the problem to respond with.

    Args:
        limit: the limit.
        function: its cost function.
        scope: the request's ASGI scope.
    """
    try:
        cost = function(scope)
    except Exception as error:  # noqa: BLE001  any exception is the function's fault, not a store's
        if (problem := problem_raised(error)) is not None:
            return problem
        logger().exception("a cost can't be computed", extra={"limit": limit.label})
        return _unknown()
    units = _whole(cost)
    if units is None or units < 0:
        logger().error("a cost is no number of units", extra={"limit": limit.label, "cost": repr(cost)[:100]})
        return _unknown()
    return min(units, MOST_UNITS)  # above what any limit admits, and within the numbers of every store


def problem_raised(error: Exception) -> Problem | None:
    """Return the response that a function of the application has raised; None if the error is none."""
    if isinstance(error, ProblemError):
        return _problem_of(error.status, error.type, error.title, error.detail, error.headers, error.extensions)
    if isinstance(error, HTTPException):
        return _problem_of(error.status_code, "about:blank", "Request refused", str(error.detail), error.headers)
    return None


def _whole(cost: object) -> int | None:
    if isinstance(cost, bool) or not isinstance(cost, SupportsIndex):
        return None
    try:
        return index(cost)
    except TypeError:  # NumPy's arrays have `__index__`, which raises for most of them
        return None


def _unknown() -> Problem:
    detail = "What this request costs can't be computed; it was not run, and it has been logged."
    return Problem(500, problem_type("cost-unknown"), "Cost unknown", detail)


def _problem_of(
    status: int,
    type: str,  # noqa: A002  RFC 9457 names the member so
    title: str,
    detail: str | None,
    headers: Mapping[str, str] | None,
    extensions: Mapping[str, Any] | None = None,
) -> Problem:
    fields = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items())
    return Problem(status, problem_type(type), title, detail, fields, extensions or {})
