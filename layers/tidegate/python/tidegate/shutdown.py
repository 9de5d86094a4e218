"""The end of an environment, as Lambda announces it: SIGTERM, and 300 ms later SIGKILL.

Lambda sends it only where an extension is registered, which `extensions/tidegate` in the layer is, and never in the
middle of an invocation; other engines do. What matters was written with each request: this frees sooner what would end
by itself (slots, leases), and hands over the last second's counts.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate.lifecycle import Lifecycle

# Of the 300 ms; the rest is the interpreter's own end.
WITHIN_S = 0.25


def close_at_sigterm(lifecycle: Lifecycle) -> None:
    """Close an environment at SIGTERM, then do what was to be done before: another handler's work, else end by it.

    Only a process's main thread can ask for a signal; elsewhere nothing is installed.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        # On a thread of its own: the interrupted one may hold a lock that closing needs.
        closing = threading.Thread(target=lifecycle.end, name="tidegate-end", daemon=True)
        closing.start()
        closing.join(WITHIN_S)
        if callable(before):
            before(number, frame)
        elif before is not signal.SIG_IGN:
            # Not SystemExit: what runs may catch that, as Mangum does, and go on.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
