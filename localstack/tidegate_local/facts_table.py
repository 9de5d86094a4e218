"""A TOML table of facts, read key by key: a mistake is named with its key, and with what to write instead."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from string import Template
from typing import Any, NoReturn

from tidegate_local.errors import FactsError

_PATH = re.compile(r"/[^\s#]*")
_STACK = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OUTPUT = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class FactsTable:
    """One table; `heading` is how its keys are named in messages. Every method raises FactsError for a mistake."""

    def __init__(self, heading: str, table: Mapping[str, Any]) -> None:
        self._heading = heading
        self._table = table

    def allow(self, *keys: str) -> None:
        """See that it has no other keys."""
        for key in self._table:
            if key not in keys:
                near = get_close_matches(key, keys, n=1)
                meant = f"did you mean {near[0]}?" if near else f"it has {', '.join(keys)}."
                raise FactsError(f"{self._heading} has no key {key}: {meant}")

    def path(self, key: str) -> str:
        """Read a path of the API."""
        value = self._table.get(key)
        if not isinstance(value, str) or not _PATH.fullmatch(value):
            self._refuse(key, value, 'a path that begins with a slash, such as "/health/ready"')
        return value

    def stack(self, key: str, default: str) -> str:
        """Read how the names of stacks begin; the longest function's name, STACK-aws-migrate, has 64 characters."""
        value = self._table.get(key, default)
        if not isinstance(value, str) or not _STACK.fullmatch(value):
            self._refuse(key, value, "how stacks' names begin: a letter, then letters, digits and hyphens, at most 32")
        return value

    def status(self, key: str) -> int:
        """Read an HTTP status; it is 200 if nothing is said."""
        value = self._table.get(key, 200)
        if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 599:
            self._refuse(key, value, "an HTTP status, 100 to 599, such as 404")
        return value

    def names(self, key: str) -> Mapping[str, str]:
        """Read outputs of the stack by names."""
        value = self._table.get(key, {})
        if not isinstance(value, dict):
            self._refuse(key, value, 'outputs of the stack by names, such as { books = "BooksTable" }')
        for name, output in value.items():
            if not _NAME.fullmatch(name):
                self._refuse(f"{key}.{name}", output, "it under a name of lower-case letters, digits and underscores")
            if not isinstance(output, str) or not _OUTPUT.fullmatch(output):
                self._refuse(f"{key}.{name}", output, "the name of an output of the stack, letters and digits")
        return value

    def outputs(self, key: str) -> tuple[str, ...]:
        """Read a list of outputs of the stack."""
        value = self._list(key, 'names of the stack\'s outputs, such as ["BooksTable"]')
        for each in value:
            if not isinstance(each, str) or not _OUTPUT.fullmatch(each):
                self._refuse(key, value, 'names of the stack\'s outputs, such as ["BooksTable"]')
        return tuple(value)

    def lines(self, key: str, placeholders: Collection[str]) -> tuple[str, ...]:
        """Read lines in which `$name` stands for one of the placeholders, and `$$` for a dollar."""
        wanted = f"lines, in which {' and '.join(f'${name}' for name in placeholders)} are replaced and $$ is a dollar"
        value = self._list(key, wanted)
        for each in value:
            if not isinstance(each, str) or not each.strip() or "\n" in each or not Template(each).is_valid():
                self._refuse(key, each, wanted)
            if others := set(Template(each).get_identifiers()) - set(placeholders):
                self._refuse(key, each, f"{wanted}; nothing stands for ${min(others)}")
        return tuple(value)

    def tables(self, key: str) -> tuple["FactsTable", ...]:
        """Read a list of tables."""
        value = self._list(key, f"a list of tables: [{{ … }}, …], or [[tool.tidegate.{key}]] for each")
        if not all(isinstance(each, dict) for each in value):
            self._refuse(key, value, f"a list of tables: [{{ … }}, …], or [[tool.tidegate.{key}]] for each")
        return tuple(FactsTable(f"{self._heading} {key}[{at}]", each) for at, each in enumerate(value))

    def file(self, key: str, root: Path) -> Path:
        """Read a file's path, below the project's folder."""
        value = self._table.get(key)
        if not isinstance(value, str) or not value or not (root / value).resolve().is_relative_to(root.resolve()):
            self._refuse(key, value, "the path of a file, relative to pyproject.toml and in its folder")
        if not (root / value).is_file():
            self._refuse(key, value, "the path of a file that is there")
        return root / value

    def one_of(self, key: str, known: Collection[str]) -> str:
        """Read one of the known names."""
        value = self._table.get(key)
        if not isinstance(value, str) or value not in known:
            self._refuse(key, value, f"one of {', '.join(known)}" if known else "it in [tool.tidegate.tables] first")
        return value

    def place(self, key: str) -> str | None:
        """Read where an object is; None: nothing is said."""
        value = self._table.get(key)
        if value is not None and (not isinstance(value, str) or not _PLACE.fullmatch(value)):
            self._refuse(key, value, 'a module and a name in it, such as "bookstore.demo:DEMO"')
        return value

    def _list(self, key: str, wanted: str) -> list[Any]:
        value = self._table.get(key, [])
        if not isinstance(value, list):
            self._refuse(key, value, wanted)
        return value

    def _refuse(self, key: str, value: object, wanted: str) -> NoReturn:
        said = f"{self._heading} says no {key}" if value is None else f"{self._heading} {key} is {value!r}"
        raise FactsError(f"{said}: write {wanted}.")
