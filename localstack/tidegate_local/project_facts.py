"""A project's own facts, `[tool.tidegate]` of its pyproject.toml: what the platform can't know of an application.

docs/project.md describes each of them.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tidegate_local.errors import FactsError
from tidegate_local.facts_table import FactsTable
from tidegate_local.layout import project_folder

_FILE = "pyproject.toml"
_HEADING = "[tool.tidegate]"


@dataclass(frozen=True)
class SmokeRequest:
    """A GET that a new version is sent before any client reaches it, and the status that it has to answer."""

    path: str
    status: int


@dataclass(frozen=True)
class Seed:
    """Items that a table has from the start: a JSON file with a list of objects, and the table's name in `tables`."""

    items: Path
    table: str


@dataclass(frozen=True)
class ProjectFacts:
    """What a project says of itself.

    Attributes:
        readiness: the path that answers 200 as soon as the API can serve.
        smoke: what a new version is asked; readiness comes first.
        tables: the project's own tables, by the names that migrations use: each with the stack's output that names it.
        outputs: of the stack, those that the project needs; the tables' are among them.
        seed: what is put into the tables.
        tries: lines that are printed to try; `$url` and `$key` stand for the API's address and a key.
        demo: where the project's demo is, as `package.module:NAME`; None: it has none.
        stack: how the names of its stacks begin: STACK-local, STACK-aws.
        app: where its ASGI application is, as `package.module:NAME`; None: it can't be served without a deploy.
    """

    readiness: str
    smoke: tuple[SmokeRequest, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    seed: tuple[Seed, ...] = ()
    tries: tuple[str, ...] = ()
    demo: str | None = None
    stack: str = "Tidegate"
    app: str | None = None

    @classmethod
    def read(cls, root: Path | None = None) -> Self:
        """Read the facts of the project in a folder, by default of the one that a command is about.

        Raises:
            FactsError: there are none, or one can't be so; the message names it and says what to write.
        """
        root = root or project_folder()
        file = root / _FILE
        try:
            told = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FactsError(f"{file} can't be read: {error}") from error
        tool = told.get("tool")
        facts = tool.get("tidegate") if isinstance(tool, dict) else None
        if not isinstance(facts, dict):
            raise FactsError(f'{file} has no {_HEADING}: write it, with readiness = "/health/ready" or the like.')
        return cls._of(FactsTable(f"{_FILE}: {_HEADING}", facts), root)

    @classmethod
    def _of(cls, facts: FactsTable, root: Path) -> Self:
        facts.allow("readiness", "smoke", "tables", "outputs", "seed", "try", "demo", "stack", "app")
        readiness, tables = facts.path("readiness"), facts.names("tables")
        return cls(
            readiness,
            (SmokeRequest(readiness, 200), *(_smoke(each) for each in facts.tables("smoke"))),
            tables,
            tuple(dict.fromkeys([*tables.values(), *facts.outputs("outputs")])),
            tuple(_seed(each, tables, root) for each in facts.tables("seed")),
            facts.lines("try", ("url", "key")),
            facts.place("demo"),
            facts.stack("stack", "Tidegate"),
            facts.place("app"),
        )


def _smoke(request: FactsTable) -> SmokeRequest:
    request.allow("path", "status")
    return SmokeRequest(request.path("path"), request.status("status"))


def _seed(seed: FactsTable, tables: Mapping[str, str], root: Path) -> Seed:
    seed.allow("items", "table")
    return Seed(seed.file("items", root), seed.one_of("table", tables))
