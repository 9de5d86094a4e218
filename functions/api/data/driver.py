"""PynamoDB, bound to this environment's tables: one client, short timeouts, errors wrapped in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar, cast

from botocore.exceptions import BotoCoreError
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException
from pynamodb.models import MetaModel, Model

from functions.api.data.errors import DataUnavailableError
from functions.api.data.settings import ShopSettings

CONNECT_TIMEOUT_S = 1
READ_TIMEOUT_S = 2
RETRIES = 1  # with the timeouts above, a table that doesn't answer costs a request about 4 s

BoundModel = TypeVar("BoundModel", bound=Model)


class Driver:
    """The shop's one DynamoDB client, shared by all its models; safe to use from several threads."""

    def __init__(self, settings: ShopSettings) -> None:
        self.connection = Connection(
            region=settings.region,
            host=settings.endpoint_url,
            connect_timeout_seconds=CONNECT_TIMEOUT_S,
            read_timeout_seconds=READ_TIMEOUT_S,
            max_retry_attempts=RETRIES,
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
