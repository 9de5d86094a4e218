"""A table that an application brings, and what its functions do to it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import aws_dynamodb as dynamodb

from tidegate_cdk.setting_error import SettingError

# Lambda's rule.
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")


@dataclass(frozen=True)
class ApplicationTable:
    """A table of the application's, and the actions of DynamoDB's that its functions may call on it.

    `indexes` are the actions on its indexes, by their names. `variable` is the environment variable that has the
    table's name.
    """

    table: dynamodb.ITable
    actions: Sequence[str]
    indexes: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    variable: str | None = None

    def __post_init__(self) -> None:
        """Refuse actions that are none of DynamoDB's, or all of them, and a variable that is none."""
        if self.variable is not None and not _VARIABLE.fullmatch(self.variable):
            raise SettingError(
                f"a table has variable={self.variable!r}: write two or more letters, digits and underscores, a letter "
                "first, such as LETTERS_TABLE"
            )
        if isinstance(self.actions, str):
            raise SettingError(f"a table's actions are {self.actions!r}: write a list, such as [{self.actions!r}]")
        for action in (*self.actions, *(action for given in self.indexes.values() for action in given)):
            service, _, name = action.partition(":")
            if service != "dynamodb" or not name.isalpha():
                raise SettingError(
                    f"a table's actions have {action!r}: write each of DynamoDB's that the functions call, such as "
                    "dynamodb:GetItem"
                )

    def grants(self) -> Iterator[tuple[Sequence[str], str]]:
        """Return which actions are let on which resource (ARN)."""
        if self.actions:
            yield self.actions, self.table.table_arn
        for index, actions in self.indexes.items():
            yield actions, f"{self.table.table_arn}/index/{index}"
