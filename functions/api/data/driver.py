"""PynamoDB, bound to this environment's tables: one client, short timeouts, errors wrapped in one place.

What protects the tables from us, and us from them: each try's timeouts; one retry, jittered, out of botocore's retry
quota (mode `standard`: a bucket of 500, of which a retry takes 5 or, after a timeout, 10, and a success gives 1
back); and around both a `Dependency`, which bounds the calls in flight and asks a silent DynamoDB by probes only.
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
# As many connections as calls in flight: urllib3 opens more than its pool holds, so the bound is the Dependency's.
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

# Whether what is called now is asked whatever is known of it: for health.
asked_anyway: ContextVar[bool] = ContextVar("asked_anyway", default=False)


def _nobody(_name: str, _took_ms: float) -> None:
    """Nobody is told what calls take."""


def judge(error: BaseException) -> Verdict:
    """Say what an error of botocore's means for DynamoDB; a condition that doesn't hold is an answer."""
    if isinstance(error, ClientError):
        return "throttled" if error.response["Error"].get("Code") in THROTTLES else "answered"
    return "silent" if isinstance(error, HTTPClientError | ConnectionError) else "answered"


class GuardedConnection(Connection):
    """PynamoDB's connection, each of whose calls goes through a dependency.

    `_make_api_call` is where all its calls pass, a botocore call and its retries each; it has no public name.
    """

    def __init__(self, dependency: Dependency, **settings: Any) -> None:
        super().__init__(**settings)
        self._dependency = dependency

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Call an operation; raises DependencyOverloadedError if it wasn't made."""
        with self._dependency.check() if asked_anyway.get() else self._dependency.call():
            return super()._make_api_call(operation_name, operation_kwargs)


class Driver:
    """The shop's one DynamoDB client, shared by all its models; safe to use from several threads.

    `observe` is told what each call took.
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
        self._bound: dict[tuple[type[Model], str], type[Model]] = {}
        self._lock = Lock()

    def bind(self, model: type[BoundModel], table: str) -> type[BoundModel]:
        """Give the model a table's name, known at run time only, and this driver's connection."""
        with self._lock:
            if (model, table) not in self._bound:
                self._bound[model, table] = self._subclass(model, table)
            return self._bound[model, table]  # type: ignore[return-value]  # the key holds the model's type

    def _subclass(self, model: type[BoundModel], table: str) -> type[BoundModel]:
        meta = type("Meta", (), {"table_name": table})
        bound = cast("type[BoundModel]", MetaModel(model.__name__, (model,), {"Meta": meta}))
        # Each model would make a connection, and with it a botocore client (50 ms and some MB), of its own.
        # PynamoDB has no public way to share one: the table's connection is made and its inner one exchanged.
        table_connection = bound._get_connection()  # noqa: SLF001  # see above
        if table not in {known for _, known in self._bound}:  # of a table with two models it wants to know once
            self.connection.add_meta_table(table_connection.get_meta_table())
        table_connection.connection = self.connection
        return bound


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn what PynamoDB and botocore raise into DataUnavailableError.

    A ValidationException stays what it is: our own request is wrong, and repeating it won't mend it.
    """
    try:
        yield
    except (PynamoDBException, BotoCoreError) as error:
        code = getattr(error, "cause_response_code", None)
        if code == "ValidationException":
            raise
        cause = getattr(error, "cause", None) or error
        raise DataUnavailableError(f"DynamoDB: {code or type(cause).__name__}") from error
