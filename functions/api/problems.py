"""Problem details (RFC 9457): their documentation in the API, and the responses to failures below the routes."""

import logging
import random
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tidegate import ProblemError, problem_response

RETRY_AFTER_S = (1, 3)
RETRY_AFTER = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}

_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong; clients key on `type`. Some types carry further members."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:tidegate:problem:out-of-stock"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str | None = None
    instance: str | None = None


def problems(described: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of problems for a route's `responses`, from each status and its meaning."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {
            "description": text,
            "content": content,
            **({"headers": {"Retry-After": RETRY_AFTER}} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}),
        }
        for status, text in described.items()
    }


def retry_soon() -> dict[str, str]:
    """Return a `Retry-After` of whole seconds, jittered so that clients don't come back together."""
    return {"Retry-After": str(random.randint(*RETRY_AFTER_S))}  # noqa: S311  # jitter, not a secret


async def on_data_unavailable(_: Request, error: Exception) -> Response:
    """Respond 503 when DynamoDB doesn't answer; the driver's error is logged, not sent."""
    # One line, not a trace, because in an outage every request logs it.
    _log.warning("the shop's data is unavailable: %s (%s)", error, error.__cause__)
    return problem_response(
        ProblemError(
            503, "data-unavailable", "Data unavailable", "The shop's data can't be reached.", headers=retry_soon()
        )
    )
