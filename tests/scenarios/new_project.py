"""A project made by `tidegate new` passes its own checks and tests, and answers; in a folder and a HOME of its own.

python -m tests.scenarios.new_project
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Make it, run `make lint`, `make test`, `make up`, ask it, and take it down; exit status 1 if one fails."""
    with tempfile.TemporaryDirectory() as place:
        home, project = Path(place, "home"), Path(place, "book-shop")
        home.mkdir()
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_", "VIRTUAL"))
        }
        environ = {
            **kept,
            "HOME": str(home),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", f"{Path.home()}/.cache"),
        }
        _run(
            [sys.executable, "-m", "tidegate_local", "new", "book-shop", "--into", str(project), "--route", "books"],
            ROOT,
            environ,
        )
        for target in ("lint", "test", "up"):
            _run(["make", target], project, environ)
        try:
            _ask(project)
        finally:
            _run(["make", "down"], project, environ)


def _run(command: list[str], folder: Path, environ: dict[str, str]) -> None:
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    _say(
        f"{' '.join(command[-3:])}: {time.monotonic() - began:.0f} s, {done.stdout.strip().splitlines()[-1:]}",
    )
    if done.returncode:
        sys.exit(done.stdout)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  it is what the program is for


def _ask(project: Path) -> None:
    state = json.loads((project / ".tidegate" / "state.json").read_text(encoding="utf-8"))
    asked = urllib.request.Request(f"{state['api_url']}/v1/books", headers={"x-api-key": state["api_keys"]["pro"]})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        _say(f"GET /v1/books: {answer.status} {answer.read().decode()}")
    _say(f"The stack: {state['outputs']['FunctionName']}")


if __name__ == "__main__":
    main()
