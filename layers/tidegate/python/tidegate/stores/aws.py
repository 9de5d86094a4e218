"""The way to DynamoDB: one botocore client with timeouts on everything, made when it is first needed.

botocore costs about 150 ms at cold start, which most requests needn't pay; its defaults (60 s timeouts, four
attempts) would turn a hung dependency into a hung client.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any, NamedTuple, Protocol

from tidegate.errors import FaultKind, StoreUnavailableError

Item = dict[str, dict[str, Any]]


class DynamoTimeouts(NamedTuple):
    """How long one call may take.

    Attributes:
        connect_s: seconds to connect.
        read_s: seconds between two pieces of an answer.
        attempts: tries in all; more than one only where a repeated write is harmless.
    """

    connect_s: float
    read_s: float
    attempts: int = 1


class Written(NamedTuple):
    """What a conditional write did.

    Attributes:
        done: whether the condition held and the write was made.
        item: the attributes as the call returned them: new ones if it was made, the whole old item if not.
    """

    done: bool
    item: Item


class Listener(Protocol):
    """Learns from every answer, whatever it says: see `ReferenceClock`."""

    def sent_us(self) -> int:
        """Return the time to give to `heard`: that at which a request is sent."""

    def heard(self, answer: Any, sent_us: int) -> None:
        """Learn from an answer of botocore's."""


class DynamoClient:
    """Calls DynamoDB; thread-safe.

    Args:
        timeouts: bounds on every call.
        endpoint_url: another address than AWS's; boto's own `AWS_ENDPOINT_URL` is honoured without it.
        region: the region; boto's own settings if None.
        listener: learns from the answers.
    """

    def __init__(
        self,
        timeouts: DynamoTimeouts,
        endpoint_url: str | None = None,
        region: str | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._endpoint_url = endpoint_url
        self._region = region
        self._listener = listener
        self._client: Any = None
        self._lock = Lock()

    def warm(self) -> None:
        """Make the client now, so that no decision has to wait for it."""
        self._made()

    def close(self) -> None:
        """Let go of connections; the next call opens new ones."""
        if self._client is not None:
            self._client.close()

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation by its API name.

        Raises:
            StoreUnavailableError: DynamoDB did not do it, or it isn't known whether it did.
        """
        client = self._made()
        try:
            return self._heard(client, operation, arguments)
        except Exception as error:
            raise unavailable(error) from error

    def write(self, operation: str, **arguments: Any) -> Written:
        """Make a conditional write.

        Raises:
            StoreUnavailableError: as `call`; a condition that doesn't hold is an answer, not an error.
        """
        client = self._made()
        try:
            answer = self._heard(client, operation, {"ReturnValuesOnConditionCheckFailure": "ALL_OLD", **arguments})
        except client.exceptions.ConditionalCheckFailedException as refused:
            return Written(done=False, item=refused.response.get("Item") or {})
        except Exception as error:
            raise unavailable(error) from error
        return Written(done=True, item=answer.get("Attributes") or {})

    def _heard(self, client: Any, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if self._listener is None:
            return dict(client._make_api_call(operation, arguments))  # noqa: SLF001  every public method ends here
        sent_us = self._listener.sent_us()
        try:
            answer = dict(client._make_api_call(operation, arguments))  # noqa: SLF001  as above
        except Exception as error:
            self._listener.heard(getattr(error, "response", None), sent_us)
            raise
        self._listener.heard(answer, sent_us)
        return answer

    def _made(self) -> Any:
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._make()
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
    """Make the session once: it holds the service's model, which takes longest to load."""
    from botocore.session import Session  # noqa: PLC0415  as in `_make`

    return Session()


_THROTTLES = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TransactionConflictException",
}
_CREDENTIALS = {
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "AccessDeniedException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
}


def unavailable(error: Exception) -> StoreUnavailableError:
    """Sort botocore's errors into the classes that are counted, keeping what it said."""
    # botocore's errors of the connection have a `response`, too: None.
    code = (getattr(error, "response", None) or {}).get("Error", {}).get("Code", "")
    return StoreUnavailableError("dynamodb", _by_code(code) if code else _by_class(error), str(error)[:200])


def _by_code(code: str) -> FaultKind:
    if code in _THROTTLES:
        return "throttled"
    if code in _CREDENTIALS:
        return "authentication"
    return "protocol" if code in {"ResourceNotFoundException", "ValidationException"} else "server-error"


def _by_class(error: Exception) -> FaultKind:
    name = type(error).__name__
    if "Timeout" in name:
        return "timeout"
    if "SSL" in name:
        return "tls"
    if "Credentials" in name or "NoRegion" in name:
        return "authentication"
    return "refused" if name == "EndpointConnectionError" else "reset"
