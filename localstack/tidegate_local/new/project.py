"""What a new project is called, and what is set for it."""

import re
from dataclasses import dataclass
from typing import Self

from tidegate_local.errors import ProjectError

# Longest is the name of a function, STACK-aws-migrate or the like: Lambda takes 64 characters.
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 30
_ROUTE = re.compile(r"[a-z][a-z0-9_]*")
# Where the library answers for what was queued.
_QUEUED = "requests"
# What would stand in the way of what is there already.
_TAKEN = frozenset({"tidegate", "tidegate-local", "functions", "infra", "layers", "tests", "localstack"})


@dataclass(frozen=True)
class Project:
    """A project's name, as in `book-store`, and its first routes, as in `books`: each is `/v1/books`."""

    name: str
    routes: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, routes: tuple[str, ...] = ()) -> Self:
        """Check the names.

        Raises:
            ProjectError: one can't be used; the message says what can.
        """
        if not _NAME.fullmatch(name) or len(name) > _LONGEST:
            raise ProjectError(
                f"{name!r} can't name a project, its stack and its functions: write lower-case letters and digits, "
                f"words joined by single hyphens, a letter first, at most {_LONGEST} characters, such as book-store."
            )
        if name in _TAKEN:
            raise ProjectError(f"{name!r} is the name of a part of the platform: choose another one.")
        for route in routes:
            if not _ROUTE.fullmatch(route):
                raise ProjectError(
                    f"{route!r} can't name a route and its module: write lower-case letters, digits and underscores, "
                    "a letter first, such as books."
                )
            if len(route) > _LONGEST:
                raise ProjectError(f"{route!r} is too long: write at most {_LONGEST} characters.")
            if route == _QUEUED:
                raise ProjectError(f"/v1/{route} answers for queued requests already: choose another name.")
        return cls(name, tuple(dict.fromkeys(routes)))

    @property
    def stack(self) -> str:
        """How its stacks' names begin: BookStore-local, BookStore-aws."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def title(self) -> str:
        """Its name for people."""
        return " ".join(word.capitalize() for word in self.name.split("-"))


@dataclass(frozen=True)
class AwsSettings:
    """What the stage `aws` gets instead of what it has here; None leaves it.

    `memory_mb` is a function's, `timeout_s` its longest run, `reserved_concurrency` its environments at most.
    """

    memory_mb: int | None = None
    timeout_s: int | None = None
    reserved_concurrency: int | None = None

    def changes(self) -> dict[str, int]:
        """Return what is to be set, by the names that the stage has for it.

        Raises:
            ProjectError: Lambda would refuse a value.
        """
        bounds = {"memory_mb": (128, 10_240), "timeout_s": (1, 29), "reserved_concurrency": (2, 100_000)}
        told = {name: value for name in bounds if (value := getattr(self, name)) is not None}
        for name, value in told.items():
            least, most = bounds[name]
            if not least <= value <= most:
                raise ProjectError(f"--{name.replace('_', '-')} is {value}: write {least} to {most}.")
        return told
