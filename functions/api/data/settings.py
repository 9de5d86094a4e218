"""The names and the place of the shop's tables, read from the environment on demand, never at import."""

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate import ConfigurationError


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """The tables' names, the region, and the endpoint where it isn't AWS's own (None: botocore decides).

    `library_table` holds the migrations' journal, under `namespace`; None: there are no migrations.
    """

    products_table: str
    orders_table: str
    region: str | None = None
    endpoint_url: str | None = None
    library_table: str | None = None
    namespace: str = "default"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "ShopSettings":
        """Read TIDEGATE_PRODUCTS_TABLE, TIDEGATE_ORDERS_TABLE and AWS's own variables.

        Raises:
            ConfigurationError: a table's variable is missing or empty.
        """
        return cls(
            products_table=_required(environ, "TIDEGATE_PRODUCTS_TABLE", "products"),
            orders_table=_required(environ, "TIDEGATE_ORDERS_TABLE", "orders"),
            # Lambda sets both; botocore alone would look at the second only.
            region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
            endpoint_url=environ.get("AWS_ENDPOINT_URL_DYNAMODB") or environ.get("AWS_ENDPOINT_URL"),
            library_table=environ.get("TIDEGATE_TABLE") or None,
            namespace=environ.get("TIDEGATE_NAMESPACE") or "default",
        )


def _required(environ: Mapping[str, str], variable: str, what: str) -> str:
    if value := environ.get(variable, "").strip():
        return value
    raise ConfigurationError(
        variable,
        f"not set; write the name of the shop's {what} table (DynamoDB, partition key `id`) into it",
    )
