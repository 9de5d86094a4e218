"""The application behind every contender: it writes down each run, and holds or fails when a file says so."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

EFFECTS, HOLD, FAIL = "effects", "hold", "fail"
_EVERY_S = 0.01


class Origin:
    """What the handlers do.

    Args:
        folder: where the runs are written down (one line each), and where the files `hold` and `fail` may be.
        takes_s: how long a run takes at least.
    """

    def __init__(self, folder: str, takes_s: float = 0.0) -> None:
        self._folder = Path(folder)
        self._takes_s = takes_s

    async def run(self, name: str) -> dict[str, Any]:
        """Run; RuntimeError if it is told to fail."""
        run = self._begin(name)
        await asyncio.sleep(self._takes_s)
        while (self._folder / HOLD).exists():  # noqa: ASYNC110  another process says when
            await asyncio.sleep(_EVERY_S)
        return self._end(name, run)

    def run_in_thread(self, name: str) -> dict[str, Any]:
        """The same for a handler that isn't async."""
        run = self._begin(name)
        time.sleep(self._takes_s)
        while (self._folder / HOLD).exists():
            time.sleep(_EVERY_S)
        return self._end(name, run)

    def _begin(self, name: str) -> str:
        run = uuid.uuid4().hex[:12]
        with (self._folder / EFFECTS).open("a", encoding="utf-8") as effects:  # one short line is appended at once
            effects.write(f"{name} {run}\n")
        return run

    def _end(self, name: str, run: str) -> dict[str, Any]:
        if (self._folder / FAIL).exists():
            raise RuntimeError("the origin was told to fail")
        return {"name": name, "run": run}
