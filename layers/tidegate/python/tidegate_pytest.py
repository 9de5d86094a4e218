"""pytest's plugin: the fixture `tidegate_gate`. It imports nothing of the library before a test asks for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tidegate.testing import GateInTest


@pytest.fixture
def tidegate_gate() -> Iterator[Callable[[FastAPI], GateInTest]]:
    """`tidegate_gate(app)`: the gate of a protected application in this test, in memory, with a clock that it moves."""
    from tidegate.testing import GateInTest  # noqa: PLC0415  as the module's docstring says

    with ExitStack() as entered:
        yield lambda app: entered.enter_context(GateInTest(app))
