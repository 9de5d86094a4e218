"""The handler that Lambda calls, with the traps between FastAPI and API Gateway avoided."""

from __future__ import annotations

import asyncio
import sys
import warnings
from typing import TYPE_CHECKING

from fastapi import FastAPI

if TYPE_CHECKING:
    from mangum import Mangum


def lambda_handler(app: FastAPI) -> Mangum:
    """Return the Lambda handler of an application.

    It is Mangum, with `lifespan="off"`, because any other value runs start-up and shutdown at every invocation,
    and with problem details counted as text, because what Mangum takes for binary it sends in base64, which a
    REST API without binary media types hands to the client as it is. It runs on the thread's event loop if one is
    set, else on one that spares a request the turns of the loop that it doesn't need (see `eager_loop`).
    """
    from mangum import Mangum  # noqa: PLC0415  only on Lambda, where the handler's module wants it anyway
    from mangum.adapter import DEFAULT_TEXT_MIME_TYPES  # noqa: PLC0415  as above

    if sys.version_info >= (3, 12) and not _has_loop():
        from tidegate.eager_loop import EagerLoop  # noqa: PLC0415  not below Python 3.12

        asyncio.set_event_loop(EagerLoop())
    return Mangum(app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, "application/problem+json"])


def _has_loop() -> bool:
    """Whether the application has set an event loop, whose clients may be bound to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # before 3.14 one is made where there is none
        try:
            asyncio.get_event_loop()
        except (RuntimeError, DeprecationWarning):
            return False
    return True
