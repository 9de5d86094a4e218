"""The two events of an environment's life: its end (SIGTERM), and its copying (SnapStart).

SIGTERM announces the end, 300 ms before SIGKILL. Lambda sends it only if an extension is registered, as
`extensions/tidegate` in the layer is. Lambda never sends it in the middle of an invocation; other engines do. Nothing
depends on it, since each request has written its own state. It frees slots and leases before they expire, and hands
over the last second's counts.

With SnapStart many environments begin as copies of one. Each must get a name of its own, and no connection may be
copied.

Source: "Handle uniqueness with Lambda SnapStart" and "Runtime hooks for Python", AWS Lambda developer guide.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from tidegate.telemetry import logger

if TYPE_CHECKING:
    from tidegate.compose import Lifecycle


if TYPE_CHECKING:
    from tidegate.compose import Lifecycle

# Of the 300 ms; the rest is the interpreter's own end.
WITHIN_S = 0.25


def close_at_sigterm(lifecycle: Lifecycle) -> None:
    """Close an environment at SIGTERM, then call the handler that was set before, or end the process."""

    def close() -> None:
        # On a thread of its own, since the interrupted thread may hold a lock that closing needs.
        closing = threading.Thread(target=lifecycle.end, name="tidegate-end", daemon=True)
        closing.start()
        closing.join(WITHIN_S)

    end_at_sigterm(close)


def end_at_sigterm(end: Callable[[], None]) -> None:
    """Call `end` at SIGTERM on the main thread, then the handler that was set before, or end the process.

    Only a process's main thread can install a signal handler; on another thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)

    def ended(number: int, frame: FrameType | None) -> None:
        try:
            end()
        finally:  # even after an error: the sender of the signal expects the process to end
            if callable(before):
                before(number, frame)
            elif before is not signal.SIG_IGN:
                # Not SystemExit: the interrupted code might catch that, and go on.
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, ended)


def register(lifecycle: Lifecycle) -> None:
    """Close connections before the snapshot, and compose a new environment, with new names, after a restore."""
    try:
        from snapshot_restore_py import (  # noqa: PLC0415  of Lambda's runtime, from Python 3.12 on
            register_after_restore,
            register_before_snapshot,
        )
    except ImportError:
        logger().warning("no hooks for SnapStart: environments share their names; use Lambda's Python 3.12 or newer")
        return
    register_before_snapshot(lifecycle.close)
    register_after_restore(lifecycle.renew)
