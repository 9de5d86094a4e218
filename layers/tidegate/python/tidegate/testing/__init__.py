"""For tests of applications that use Tidegate: docs/testing.md.

`FakeClock` and `FailingStore` are for tests of stores; `GateInTest` is for tests of an application.
"""

from typing import TYPE_CHECKING, Any

from tidegate.testing.stand_ins import FailingStore, FakeClock

if TYPE_CHECKING:
    from tidegate.testing.gate_in_test import Charged, GateInTest

__all__ = ["Charged", "FailingStore", "FakeClock", "GateInTest"]


def __getattr__(name: str) -> Any:
    """Import what needs the whole library only when it is asked for."""
    if name in {"Charged", "GateInTest"}:
        from tidegate.testing import gate_in_test  # noqa: PLC0415  as the docstring says

        return getattr(gate_in_test, name)
    raise AttributeError(name)
