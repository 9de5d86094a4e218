"""The handler that Lambda calls, with the two traps between FastAPI and API Gateway avoided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

if TYPE_CHECKING:
    from mangum import Mangum


def lambda_handler(app: FastAPI) -> Mangum:
    """Return the Lambda handler of an application.

    It is Mangum, with `lifespan="off"`, because any other value runs start-up and shutdown at every invocation,
    and with problem details counted as text, because what Mangum takes for binary it sends in base64, which a
    REST API without binary media types hands to the client as it is.
    """
    from mangum import Mangum  # noqa: PLC0415  only on Lambda, where the handler's module wants it anyway
    from mangum.adapter import DEFAULT_TEXT_MIME_TYPES  # noqa: PLC0415  as above

    return Mangum(app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, "application/problem+json"])
