"""Calls that AWS denies: a new role's grants take a while until they hold everywhere.

Source: "Changes that I make are not always immediately visible", IAM User Guide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from functions.rollout.retrying import retried

T = TypeVar("T")

# As the services say it, and STS of a role that it doesn't know yet.
_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "InvalidClientTokenId",
        "NotAuthorized",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)


class DeniedError(Exception):
    """AWS denied a call; the message is AWS's. The machine waits longer for it than for other errors."""


def is_denial(error: BaseException) -> bool:
    """Whether an error is AWS's refusal of a call that the function's role doesn't allow (yet)."""
    if isinstance(error, DeniedError):
        return True
    response: Any = getattr(error, "response", None)
    return isinstance(response, dict) and (response.get("Error") or {}).get("Code") in _CODES


def once_granted(work: Callable[[], T], within_s: int) -> T:
    """Do work that may be repeated, again as long as AWS denies a call of it.

    Args:
        work: the work.
        within_s: for how long it is tried; seconds.

    Raises:
        Exception: what the work raised, a denial only after that time.
    """
    return retried(work, within_s, is_denial)
