"""The guard's admission of a request, as a dependency of the routes that need it."""

from typing import Annotated, cast

from fastapi import Depends, Request

from tidegate import Admission


async def _admission(request: Request) -> Admission:
    return cast("Admission", request.state.tidegate)


Admitted = Annotated[Admission, Depends(_admission)]
"""The admission of the running request: its principal and, on idempotent routes, its claim."""
