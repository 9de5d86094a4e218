"""How a store's calls fail: the kind of the one error, in time; and patience with what only times out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from tidegate.errors import StoreUnavailableError

Result = TypeVar("Result")


def kind_of(call: Callable[[], object], *, store: str | None = None, within_s: float = math.inf) -> str:
    """Return the kind of the one error that may leave a store, which must come so soon, and be of that store."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError) as raised:
        call()
    assert time.monotonic() - began < within_s
    assert store in {None, raised.value.store}
    return raised.value.kind


def answered(call: Callable[[], Result], within_s: float = 10) -> Result:
    """Return what the call returns, made again while it only times out; anything else it raises is raised.

    Short timeouts make faults quick to see; on a busy machine a store that is well may miss one, too.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return call()
        except StoreUnavailableError as error:
            if error.kind != "timeout" or time.monotonic() > deadline:
                raise
