"""The connection to DynamoDB: one botocore client, with a timeout on every step, made at first use.

Loading botocore takes about 150 ms of a cold start, which no request needs to pay: until its client is made, on Lambda,
`first_calls` makes the calls. With its defaults (timeouts of 60 s, four attempts) a hung DynamoDB would make every
client hang.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, NamedTuple, Protocol

from tidegate.errors import FaultKind, StoreUnavailableError
from tidegate.forks import call_in_children
from tidegate.stores.dynamodb.first_calls import CallError, first_calls

Item = dict[str, dict[str, Any]]
Call = Callable[[str, dict[str, Any]], dict[str, Any]]

_REFUSED = "ConditionalCheckFailedException"


class DynamoTimeouts(NamedTuple):
    """How long one call may take.

    Attributes:
        connect_s: seconds to connect.
        read_s: seconds between two pieces of an answer.
        attempts: attempts in all; more than one only where a repeated write is harmless.
    """

    connect_s: float
    read_s: float
    attempts: int = 1


class Written(NamedTuple):
    """The result of a conditional write.

    Attributes:
        done: whether the condition held, so that the write was made.
        item: after a write the attributes that the call returned; otherwise the whole item as it is.
    """

    done: bool
    item: Item


class Listener(Protocol):
    """Is given every answer, errors included: see `ReferenceClock`."""

    def sent_us(self) -> int:
        """Return the time at which a request is sent, for `heard`."""

    def heard(self, answer: Any, sent_us: int) -> None:
        """Read an answer of botocore's."""


class DynamoClient:
    """Calls DynamoDB; thread-safe.

    Args:
        timeouts: bounds on every call.
        endpoint_url: another address than AWS's; by default botocore's own, which reads `AWS_ENDPOINT_URL`.
        region: the region; botocore's own if None.
        listener: is given every answer.
        answered: called after every answer, errors included.
    """

    def __init__(
        self,
        timeouts: DynamoTimeouts,
        endpoint_url: str | None = None,
        region: str | None = None,
        listener: Listener | None = None,
        answered: Callable[[], object] | None = None,
    ) -> None:
        self._answered = answered
        self._timeouts = timeouts
        self._endpoint_url = endpoint_url
        self._region = region
        self._listener = listener
        self._client: Any = None
        self._first = first_calls(timeouts, endpoint_url, region)
        self._lock = Lock()

    def prepare(self) -> None:
        """Load what the next call needs: it takes long on a small machine, but waits for nothing outside of it."""
        if self._client is None and self._first is None:
            session().get_service_model("dynamodb")

    def ready(self) -> None:
        """Make what makes the next call, if it isn't there."""
        if self._client is None and self._first is not None:
            self._first.prepare()
        else:
            self._client_made()

    def warm(self) -> None:
        """Make the client now, so that no decision has to wait for it; botocore may fetch credentials meanwhile."""
        self._client_made()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        for calls in (self._client, self._first):
            if calls is not None:
                calls.close()

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation by its API name.

        Raises:
            StoreUnavailableError: DynamoDB didn't do it, or may not have.
        """
        calls = self._calls()
        try:
            return self._call(calls, operation, arguments)
        except Exception as error:
            raise told(error) from error

    def write(self, operation: str, **arguments: Any) -> Written:
        """Make a conditional write.

        Raises:
            StoreUnavailableError: as `call`; a condition that doesn't hold is a result, not an error.
        """
        calls = self._calls()
        try:
            answer = self._call(calls, operation, {"ReturnValuesOnConditionCheckFailure": "ALL_OLD", **arguments})
        except Exception as error:
            # By its code: two threads whose first errors meet may each make the client's classes of exceptions.
            response = getattr(error, "response", None) or {}
            if response.get("Error", {}).get("Code") == _REFUSED:
                return Written(done=False, item=response.get("Item") or {})
            raise told(error) from error
        return Written(done=True, item=answer.get("Attributes") or {})

    def _calls(self) -> Call:
        """Return what makes a call now."""
        if self._client is None and self._first is not None:
            return self._first.call
        made: Call = self._client_made()._make_api_call  # noqa: SLF001  every public method ends here
        return made

    def _call(self, calls: Call, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        sent_us = 0 if self._listener is None else self._listener.sent_us()
        try:
            answer = dict(calls(operation, arguments))
        except Exception as error:
            self._note(getattr(error, "response", None), sent_us)
            raise
        self._note(answer, sent_us)
        return answer

    def _note(self, answer: Any, sent_us: int) -> None:
        if self._listener is not None:
            self._listener.heard(answer, sent_us)
        if self._answered is not None and answer is not None:
            self._answered()

    def _client_made(self) -> Any:
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._make()
                    if self._first is not None:
                        self._first.close()
        return self._client

    def _make(self) -> Any:
        from botocore.config import Config  # noqa: PLC0415  the cold start this module's docstring speaks of

        config = Config(
            connect_timeout=self._timeouts.connect_s,
            read_timeout=self._timeouts.read_s,
            retries={"total_max_attempts": self._timeouts.attempts, "mode": "standard"},
            max_pool_connections=32,
            parameter_validation=False,
            tcp_keepalive=True,
        )
        try:
            return session().create_client(
                "dynamodb", region_name=self._region, endpoint_url=self._endpoint_url, config=config
            )
        except Exception as error:
            raise unavailable(error) from error


@cache
def session() -> Any:
    """Return the one session: it holds the service's model, which takes longest to load."""
    from botocore.session import Session  # noqa: PLC0415  as in `_make`

    return Session()


call_in_children(session.cache_clear)


# AWS's error codes by class. First those that the next question would meet, too.
_CODES: dict[str, FaultKind] = {
    **dict.fromkeys(
        (
            "ProvisionedThroughputExceededException",
            "ThrottlingException",
            "Throttling",
            "RequestLimitExceeded",
            "RequestThrottled",
            "LimitExceededException",
        ),
        "throttled",
    ),
    **dict.fromkeys(
        (
            "ExpiredTokenException",
            "ExpiredToken",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "AccessDeniedException",
            "AccessDenied",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "MissingAuthenticationTokenException",
            "MissingAuthenticationToken",
            "OptInRequired",
        ),
        "authentication",
    ),
    "ResourceNotFoundException": "protocol",
    "UnknownOperationException": "protocol",
    # The fault lies in one item, or in one request.
    **dict.fromkeys(
        (
            "ValidationException",
            "ItemCollectionSizeLimitExceededException",
            "ConditionalCheckFailedException",
            "TransactionCanceledException",
            "DuplicateItemException",
            "SerializationException",
            "IdempotentParameterMismatchException",
        ),
        "unreadable",
    ),
    # Several requests change one item at once.
    "TransactionConflictException": "contended",
    "TransactionInProgressException": "contended",
    "ReplicatedWriteConflictException": "contended",
}


def told(error: Exception) -> Exception:
    """Return the error to raise: this library's for an error of botocore or the network, else (a bug) itself."""
    if isinstance(error, CallError | OSError):
        return unavailable(error)
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  loaded by now, as in `_make`

    return unavailable(error) if isinstance(error, BotoCoreError | ClientError) else error


def unavailable(error: Exception) -> StoreUnavailableError:
    """Sort an error of botocore's into the classes that are counted, keeping its message."""
    # botocore's connection errors have a `response`, too: None.
    fields = (getattr(error, "response", None) or {}).get("Error", {})
    code, message = fields.get("Code", ""), fields.get("Message", "")
    return StoreUnavailableError("dynamodb", _by_code(code, message) if code else _by_class(error), str(error)[:200])


def _by_code(code: str, message: str) -> FaultKind:
    if code == "ValidationException" and "schema" in message:  # it is another table, so every question would fail
        return "protocol"
    return _CODES.get(code, "server-error")


def _by_class(error: Exception) -> FaultKind:
    name = type(error).__name__
    if "Timeout" in name:
        return "timeout"
    if "SSL" in name:
        return "tls"
    if "Credential" in name or "NoRegion" in name or "Token" in name:
        return "authentication"
    if name == "ParamValidationError":
        return "unreadable"
    if name in {"ResponseParserError", "ChecksumError", "IncompleteReadError"}:
        return "protocol"
    return "refused" if name in {"EndpointConnectionError", "ConnectionRefusedError", "gaierror"} else "reset"
