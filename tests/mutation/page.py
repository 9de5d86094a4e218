"""The page that both programs write their tables into, each between its own marks."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path


def write(page: Path, mark: str, text: str) -> None:
    """Put a text between its marks, with when and by what command it was printed.

    Raises:
        ValueError: the page lacks the marks.
    """
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, opened, rest = page.read_text("utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"{page} lacks the lines {begin} and {end}")
    page.write_text(f"{before}{begin}\n\n{_printed()}\n\n{text}\n\n{end}{after}", "utf-8")


def _printed() -> str:
    module = Path(sys.argv[0])
    name = "tests.mutation" if module.stem == "__main__" else f"tests.mutation.{module.stem}"
    command = " ".join(["python -m", name, *sys.argv[1:]])
    load, *_ = os.getloadavg()
    day = datetime.now(UTC).date().isoformat()
    return (
        f"Printed on {day} by `{command}`; Python {platform.python_version()}, {os.cpu_count()} cores that are shared, "
        f"load average {load:.0f}."
    )
