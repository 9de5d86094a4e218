"""The deliberate faults of faults.toml, each with the promise that it breaks and the tests that find it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.mutation.sampling import LIBRARY
from tests.mutation.trial import Selection


class Fault(NamedTuple):
    """A fault of one file.

    Attributes:
        name: what goes wrong then.
        file: where, as pages write it: from the library's package, or else from the root.
        text: the right text, which stands in the file once.
        fault: the wrong one.
        breaks: the promise.
        selection: the tests that find it.
    """

    name: str
    file: str
    text: str
    fault: str
    breaks: str
    selection: Selection

    @property
    def path(self) -> str:
        """The file, from the root."""
        return self.file if self.file.startswith("functions/") else f"{LIBRARY}/{self.file}"

    def applied(self, source: str) -> str:
        """Return the file's text with the fault.

        Raises:
            ValueError: the right text doesn't stand in it exactly once.
        """
        if (times := source.count(self.text)) != 1:
            raise ValueError(f"{self.name}: its text stands {times} times in {self.path}; mend faults.toml")
        return source.replace(self.text, self.fault)


def faults(file: Path = Path(__file__).parent / "faults.toml") -> list[Fault]:
    """Read a list of faults."""
    return [
        Fault(
            one["name"], one["file"], one["text"], one["fault"], one["breaks"],
            Selection(tuple(one["tests"]), one.get("stores", "")),
        )
        for one in tomllib.loads(file.read_text("utf-8"))["fault"]
    ]  # fmt: skip
