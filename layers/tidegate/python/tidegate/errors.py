"""The errors of Tidegate; a refusal is a value, never one of these.

TidegateError
├── ConfigurationError        a setting or policy is wrong; the text names it, and what to write instead
├── UnsupportedEventError     a Lambda handler was invoked with an event that it doesn't take
├── StartupError              the application's start-up reported a failure without an exception
├── StoreUnavailableError     a store couldn't answer; `kind` is the class of the fault
├── ClaimLostError            an attempt outlived its claim; raised to its handler, which should stop
├── IdentityUnavailableError  who asks can't be known now; raised by an `identify`, answered with a 503
├── UnguardedError            a handler was about to run without the policy that it declares
└── ProblemError              raised by a handler, answered as application/problem+json
    └── DependencyOverloadedError   a call to what the handler depends on was not made
"""

from __future__ import annotations

from typing import Any, Literal

REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"

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
    "unreadable",
]

# Faults of one question, or of one key or item of it, and not of the store.
_OF_ONE_QUESTION: frozenset[FaultKind] = frozenset({"unreadable", "contended"})


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


class UnsupportedEventError(TidegateError):
    """A function was invoked with an event that its handler doesn't take, as by a wrong trigger.

    It is raised to Lambda, so that its retries, destinations and dead-letter queues work.

    Args:
        handler: the handler's name.
        taken: the events that it takes.
        event: a description of the event.
    """

    def __init__(self, handler: str, taken: str, event: str) -> None:
        super().__init__(f"{handler} takes {taken}; it was invoked with {event}")
        self.event = event


class StartupError(TidegateError):
    """An application's start-up failed without an exception; the text is the application's message."""


class StoreUnavailableError(TidegateError):
    """A store could not answer within its time; a driver's error is wrapped in this once, at the store's edge.

    Args:
        store: the store's name, such as `redis`.
        kind: the class of the fault, for counts and logs.
        detail: the driver's message.
    """

    def __init__(self, store: str, kind: FaultKind, detail: str = "") -> None:
        super().__init__(f"{store} {kind}: {detail}" if detail else f"{store} {kind}")
        self.store = store
        self.kind: FaultKind = kind
        self.detail = detail

    @property
    def of_the_store(self) -> bool:
        """Whether other questions would meet the same fault. Only such a fault moves a breaker.

        A value that can't be read, or that many requests change at once, affects one question alone.
        """
        return self.kind not in _OF_ONE_QUESTION


class ClaimLostError(TidegateError):
    """Another attempt has taken over this attempt's claim, and will do the handler's further work again.

    Let it pass through the handler: the client is asked to retry, and then gets the other attempt's response.
    """

    def __init__(self) -> None:
        super().__init__("another attempt has taken over this claim")


class UnguardedError(TidegateError):
    """A handler with a policy was called without an admission under that policy.

    Args:
        handler: its full name.
    """

    def __init__(self, handler: str) -> None:
        super().__init__(
            f"{handler} declares a policy that isn't in force here. Serve it by an application that `protect` was "
            f"called with, in a shape that the route table shows; a test that means the bare handler calls its "
            f"`__wrapped__`, and one handler that calls another one, too"
        )
        self.handler = handler


class ProblemError(TidegateError):
    """An error response, which a handler raises and the client gets as problem details (RFC 9457).

    Args:
        status: the HTTP status, 400 to 599.
        type: a short stable word (`out-of-stock`, made into `urn:tidegate:problem:out-of-stock`) or a full URI.
        title: the problem's class in a few words, the same for every occurrence.
        detail: a description of this occurrence, for a person.
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


class IdentityUnavailableError(TidegateError):
    """Who asks can't be known now; an `identify` raises it, and the client gets a 503.

    Another principal in the meantime would be charged for the request, and would run a retry of it again.
    """


class DependencyOverloadedError(ProblemError):
    """A call to a dependency was not made, because it would have waited or failed; the client gets a 503.

    Args:
        dependency: its name, for logs; clients don't see it.
        why: the reason, for logs.
        retry_after_s: whole seconds, jittered, for `Retry-After`.
    """

    def __init__(self, dependency: str, why: str, retry_after_s: int) -> None:
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
