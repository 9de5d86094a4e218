"""Mutants that do what the source does, so that no test can kill them; each with the reason, in equivalents.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.mutation.sampling import LIBRARY, Sampled


class Equivalent(NamedTuple):
    """A mutant, and why it is none.

    Attributes:
        file: as the library's package has it.
        stands_in: the source's line, without its indentation, since one file may have the same change in several.
        change: as `Mutant.change` writes it.
        because: the reason.
    """

    file: str
    stands_in: str
    change: str
    because: str


@cache
def equivalents() -> tuple[Equivalent, ...]:
    """Read all of them."""
    text = (Path(__file__).parent / "equivalents.toml").read_text("utf-8")
    return tuple(Equivalent(**table) for table in tomllib.loads(text).get("mutant", []))


def reason_of(one: Sampled) -> str | None:
    """Return why a mutant is equivalent; None if it isn't known to be."""
    file = one.file.removeprefix(f"{LIBRARY}/")
    found = file, one.mutant.stands_in, one.mutant.change
    return next((e.because for e in equivalents() if (e.file, e.stands_in, e.change) == found), None)
