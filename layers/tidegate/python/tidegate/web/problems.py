"""Problem details and Retry-After.

Problem details are RFC 9457. The type of a spent quota is from draft-ietf-httpapi-ratelimit-headers-11.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tidegate.errors import REDUCED_CAPACITY

Headers = tuple[tuple[bytes, bytes], ...]

# RFC 9110, 9.2.1: methods that ask for no change.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"

LONGEST_WAIT_S = 86_400
_JITTER = 0.1


class Problem(NamedTuple):
    """An error response as problem details.

    Attributes:
        status: the HTTP status.
        type: a URI by which clients tell problems apart.
        title: the class of problem, the same for each occurrence.
        detail: a sentence on this occurrence.
        headers: further response fields.
        extensions: further members.
    """

    status: int
    type: str
    title: str
    detail: str | None = None
    headers: Headers = ()
    extensions: Mapping[str, Any] = MappingProxyType({})

    def body(self) -> bytes:
        """Return the JSON body."""
        members = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail is not None:
            members["detail"] = self.detail
        return json.dumps({**members, **self.extensions}, separators=(",", ":")).encode()


# What is told of an unhandled exception: nothing.
UNHANDLED = Problem(500, "about:blank", "Internal Server Error", "The request failed; it has been logged.")


def problem_type(word: str) -> str:
    """Return the URI of one of Tidegate's problem types; a full URI is returned unchanged."""
    return word if ":" in word else f"urn:tidegate:problem:{word}"


def retry_after_s(wait_us: int) -> int:
    """Return whole seconds for `Retry-After`: at least the wait, jittered to spread clients, and at most a day."""
    seconds = wait_us / 1_000_000
    return min(LONGEST_WAIT_S, max(1, math.ceil(seconds * (1 + random.uniform(0, _JITTER)))))  # noqa: S311  spreads clients


def may_carry_fields(status: int) -> bool:
    """Whether a response has the RateLimit fields: the draft leaves them off redirections."""
    return not 300 <= status < 400


def problem_headers(problem: Problem) -> Headers:
    """Return all fields of a problem's response."""
    body = problem.body()
    return (
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        *problem.headers,
    )


def reduced_capacity(detail: str, wait_us: int = 1_000_000) -> Problem:
    """Return the 503 for a request that the server can't serve now, through no fault of its caller."""
    retry = ((b"retry-after", str(retry_after_s(wait_us)).encode()),)
    return Problem(503, REDUCED_CAPACITY, "Temporarily reduced capacity", detail, retry)
