"""A package's sampled mutants, and the tests that each is run against."""

from __future__ import annotations

import random
from typing import NamedTuple

from tests.mutation.operators import Mutant, mutants
from tests.mutation.tree import CHECKOUT

LIBRARY = "layers/tidegate/python/tidegate"


class Sampled(NamedTuple):
    """A mutant of a file.

    Attributes:
        file: the file, from the root.
        mutant: the change.
    """

    file: str
    mutant: Mutant

    @property
    def place(self) -> str:
        """Where it is: the file as the library's package has it, and the line."""
        return f"{self.file.removeprefix(LIBRARY).lstrip('/')}:{self.mutant.line}"


def sampled(package: str, count: int, seed: int) -> tuple[list[Sampled], int]:
    """Draw mutants of a package, each as likely as any other; and say of how many."""
    files = sorted((CHECKOUT / LIBRARY / package).glob("*.py"))
    every = [
        Sampled(file.relative_to(CHECKOUT).as_posix(), mutant)
        for file in files
        for mutant in mutants(file.read_text("utf-8"))
    ]
    drawn = random.Random(f"{package} {seed}").sample(every, min(count, len(every)))
    return sorted(drawn, key=lambda one: (one.file, one.mutant.at)), len(every)
