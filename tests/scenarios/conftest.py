"""What scenarios open, closed at their end."""

import contextlib
from collections.abc import Iterator

import pytest


@pytest.fixture
def closing() -> Iterator[contextlib.ExitStack]:
    """What a test opens."""
    with contextlib.ExitStack() as stack:
        yield stack
