"""A runner of migrations as a process: invokes the handler until it is done, as a release's controller does.

    python -m tests.scenarios.migration_runner ACTION RELEASE SLICE_S

Each answer is a line of JSON. Where the variable TIDEGATE_HANG_AFTER is set, it hangs once so many items are written:
right after a round's checkpoint, with the lock in its hand, to be killed there. TIDEGATE_LEASE_S is the lock's lease,
TIDEGATE_PAGE a segment's part of a round.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from functions.migrate import backfill, invocation, ledger, work
from functions.migrate.handler import handler


class Context:
    """Lambda's context, of a function that has some seconds left."""

    def __init__(self, slice_s: float) -> None:
        self._left_s = slice_s + invocation.MARGIN_S

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left_s * 1000)


def say(document: dict[str, Any]) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def hang_after(written: int) -> None:
    """Have the process hang at that item."""
    go_on = work.Work._round

    def hanging(self: work.Work, number: int, *arguments: Any) -> None:
        go_on(self, number, *arguments)
        if self.journal.entries[number].progress.written >= written:
            say({"hangs": True})
            time.sleep(3600)

    work.Work._round = hanging  # type: ignore[method-assign]  # this is the test's own process


def main(action: str, release: str, slice_s: float) -> None:
    """Invoke until the answer is not "more"."""
    backfill.PAGE = int(os.environ.get("TIDEGATE_PAGE", backfill.PAGE))
    ledger.LEASE_S = float(os.environ.get("TIDEGATE_LEASE_S", ledger.LEASE_S))
    if after := os.environ.get("TIDEGATE_HANG_AFTER"):
        hang_after(int(after))
    while True:
        told = handler({"action": action, "release": release}, Context(slice_s))
        say(told)
        if told["status"] != "more":
            return
        if "trouble" in told["progress"]:
            time.sleep(0.5)  # as the controller waits before it asks again


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
