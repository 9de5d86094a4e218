"""PynamoDB, bound to this environment's tables: one client, short timeouts, errors wrapped in one place.

The tables and this API are protected from each other by timeouts of each try; by one retry, jittered, within botocore's
retry quota (mode `standard`: a bucket of 500, of which a retry takes 5 or, after a timeout, 10, and a success gives 1
back); and around both by a `Dependency`, which bounds the calls in flight and only probes a DynamoDB that doesn't
answer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004  botocore's
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException
from pynamodb.models import MetaModel, Model

from functions.api.data.errors import DataUnavailableError
from functions.api.data.settings import ShopSettings
from tidegate.dependency import Dependency, Verdict

CONNECT_TIMEOUT_S = 1
READ_TIMEOUT_S = 2
RETRIES = 1  # with the timeouts above, a table that doesn't answer costs a request 5 s at most
# As many connections as calls in flight; the Dependency bounds these, as urllib3 opens more than its pool holds.
POOL = 32

THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "InternalServerError",
        "ServiceUnavailable",
    }
)

BoundModel = TypeVar("BoundModel", bound=Model)

# Whether a call is made even if the dependency seems down, as for health checks.
asked_anyway: ContextVar[bool] = ContextVar("asked_anyway", default=False)


def _nobody(_name: str, _took_ms: float) -> None:
    """Ignore a call's duration."""


def judge(error: BaseException) -> Verdict:
    """Classify an error of botocore's; a failed condition is an answer."""
    if isinstance(error, ClientError):
        return "throttled" if error.response["Error"].get("Code") in THROTTLES else "answered"
    return "silent" if isinstance(error, HTTPClientError | ConnectionError) else "answered"


class GuardedConnection(Connection):
    """PynamoDB's connection, each of whose calls goes through a dependency.

    All its calls pass `_make_api_call`, each with its retries; there is no public method for that.
    """

    def __init__(self, dependency: Dependency, **settings: Any) -> None:
        super().__init__(**settings)
        self._dependency = dependency

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Call an operation; raises DependencyOverloadedError if it wasn't made."""
        with self._dependency.check() if asked_anyway.get() else self._dependency.call():
            return super()._make_api_call(operation_name, operation_kwargs)


class Driver:
    """The shop's one DynamoDB client, shared by all its models; thread-safe.

    `observe` is called with each call's name and milliseconds.
    """

    def __init__(self, settings: ShopSettings, observe: Callable[[str, float], None] = _nobody) -> None:
        self.database = Dependency("database", most=POOL, judge=judge, observe=observe)
        self.connection = GuardedConnection(
            self.database,
            region=settings.region,
            host=settings.endpoint_url,
            connect_timeout_seconds=CONNECT_TIMEOUT_S,
            read_timeout_seconds=READ_TIMEOUT_S,
            retry_configuration={"total_max_attempts": 1 + RETRIES, "mode": "standard"},
            max_pool_connections=POOL,
        )
        # Made here, under the shop's lock: PynamoDB would make it at the first call, once for each of two threads, and
        # within the time that counts as the tables'.
        with driver_errors():
            _ = self.connection.client
        self._bound: dict[tuple[type[Model], str], type[Model]] = {}
        self._lock = Lock()

    def bind(self, model: type[BoundModel], table: str) -> type[BoundModel]:
        """Return the model bound to a table's name, known at run time only, and to this driver's connection."""
        with self._lock:
            if (model, table) not in self._bound:
                self._bound[model, table] = self._subclass(model, table)
            return self._bound[model, table]  # type: ignore[return-value]  # the key holds the model's type

    def _subclass(self, model: type[BoundModel], table: str) -> type[BoundModel]:
        meta = type("Meta", (), {"table_name": table})
        bound = cast("type[BoundModel]", MetaModel(model.__name__, (model,), {"Meta": meta}))
        # Each model would make a connection, and with it a botocore client (50 ms and some MB), of its own.
        # PynamoDB has no public way to share one, so the table's connection is made and its inner one replaced.
        table_connection = bound._get_connection()  # noqa: SLF001  # see above
        if table not in {known for _, known in self._bound}:  # once per table, even with two models
            self.connection.add_meta_table(table_connection.get_meta_table())
        table_connection.connection = self.connection
        return bound


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn errors of PynamoDB and botocore into DataUnavailableError.

    A ValidationException is raised unchanged: the request itself is wrong, and a repetition wouldn't help.
    """
    try:
        yield
    except (PynamoDBException, BotoCoreError) as error:
        code = getattr(error, "cause_response_code", None)
        if code == "ValidationException":
            raise
        cause = getattr(error, "cause", None) or error
        raise DataUnavailableError(f"DynamoDB: {code or type(cause).__name__}") from error
