"""The errors of Tidegate; a refusal is a value, never one of these.

TidegateError
├── ConfigurationError        a setting or policy is wrong; names it, and what to write instead
├── StoreUnavailableError     a store could not answer; `kind` says how it failed
├── ClaimLostError            an attempt outlived its claim; raised to its handler, which should stop
└── ProblemError              raised by a handler, answered as application/problem+json
    └── DependencyOverloadedError   a call to what the handler depends on was not made
"""

from __future__ import annotations

from typing import Any, Literal

FaultKind = Literal[
    "refused",
    "timeout",
    "reset",
    "read-only",
    "out-of-memory",
    "moved",
    "cluster-down",
    "authentication",
    "tls",
    "loading",
    "throttled",
    "server-error",
    "contended",
    "protocol",
    "breaker-open",
]


class TidegateError(Exception):
    """The root of the tree."""


class ConfigurationError(TidegateError):
    """A setting or a policy is wrong.

    Args:
        name: the variable, argument or route at fault.
        problem: what is wrong with it, and what to write instead.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name


class StoreUnavailableError(TidegateError):
    """A store could not answer within its time; drivers' errors are wrapped in this once, at the store's edge.

    Args:
        store: the store's name, such as `redis`.
        kind: the class of the fault, as it is counted and logged.
        detail: what the driver said.
    """

    def __init__(self, store: str, kind: FaultKind, detail: str = "") -> None:
        super().__init__(f"{store} {kind}: {detail}" if detail else f"{store} {kind}")
        self.store = store
        self.kind: FaultKind = kind
        self.detail = detail


class ClaimLostError(TidegateError):
    """This attempt's claim is another attempt's now: whatever the handler still does is done twice.

    Let it pass through the handler: the client is told to ask again, and then gets the other attempt's answer.
    """

    def __init__(self) -> None:
        super().__init__("another attempt has taken over this claim")


class ProblemError(TidegateError):
    """An error answer, which a handler raises and the client reads as problem details (RFC 9457).

    Args:
        status: the HTTP status, 400 to 599.
        type: a short stable word (`out-of-stock`, made into `urn:tidegate:problem:out-of-stock`) or a full URI.
        title: the problem's class in a few words, the same for every occurrence.
        detail: what happened this time, for a person.
        headers: further response fields, such as `Retry-After`.
        extensions: further members of the problem object; JSON values.
    """

    def __init__(
        self,
        status: int,
        type: str,  # noqa: A002  RFC 9457 names the member so
        title: str,
        detail: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.headers = headers or {}
        self.extensions = extensions


class DependencyOverloadedError(ProblemError):
    """A call to a dependency was not made, for it would have waited or failed; answered as 503.

    Args:
        dependency: its name, for logs; clients aren't told.
        why: what was seen of it.
        retry_after_s: whole seconds, jittered, for `Retry-After`.
    """

    def __init__(self, dependency: str, why: str, retry_after_s: int) -> None:
        from tidegate.http import REDUCED_CAPACITY  # noqa: PLC0415  it imports what imports this module

        super().__init__(
            503,
            REDUCED_CAPACITY,
            "Temporarily reduced capacity",
            "What this needs is overloaded or silent; it was not asked.",
            headers={"Retry-After": str(retry_after_s)},
        )
        self.dependency = dependency
        self.why = why

    def __str__(self) -> str:
        return f"{self.dependency}: {self.why}"
