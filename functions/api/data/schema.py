"""The schema in force in the tables, by the migrations' journal."""

from dataclasses import dataclass

from functions.api.data.driver import Driver, driver_errors
from functions.api.data.models import MigrationsRow


@dataclass(frozen=True, slots=True)
class SchemaInForce:
    """The state of the tables: `schema` is wholly expanded, and forms from before `contracted` are gone."""

    schema: int
    contracted: int

    def fault(self, needed: int) -> str | None:
        """Return why code that was written for a schema can't work on this one; None if it can."""
        if needed > self.schema:
            return f"needs schema {needed}, and {self.schema} is in force"
        if needed < self.contracted:
            return f"was written for schema {needed}, and what was before {self.contracted} has been taken away"
        return None


class SchemaTable:
    """The journal's item in the library's table; without a table there are no migrations."""

    def __init__(self, driver: Driver, table: str | None, namespace: str) -> None:
        self._row = driver.bind(MigrationsRow, table) if table else None
        self._key = f"migrations#{namespace}"

    def in_force(self) -> SchemaInForce | None:
        """Return the schema in force; None if nothing was ever migrated. Raises DataUnavailableError."""
        if self._row is None:
            return None
        with driver_errors():
            try:
                row = self._row.get(self._key)
            except self._row.DoesNotExist:
                return None
        return SchemaInForce(int(row.schema_in_force), int(row.contracted))
