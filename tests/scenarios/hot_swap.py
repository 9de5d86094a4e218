"""From a save to the first answer of what was saved: `python -m tests.scenarios.hot_swap` on the cloud that is up.

A copy of the repository is watched by `tidegate watch`, and a handler in it is changed again and again. Each change is
timed from its last written byte to the first answer of API Gateway's that has it. At the end what was deployed is in
force again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from tidegate_local.hot import swap
from tidegate_local.layout import StateFolder
from tidegate_local.scenarios.clone import Clone
from tidegate_local.state import LocalState

HANDLER = "functions/api/routes/health.py"
SAID = '"version": gate.settings.release,'
WITHIN_S, GOAL_S, LOOK_EVERY_S = 60.0, 2.0, 0.02
LAST = "hot: worker"


def timed(clone: Clone, http: httpx.Client, text: str, number: int) -> float:
    """Save a change, and return the seconds until it answers."""
    said = f"change {number} of {os.getpid()}"
    (clone.root / HANDLER).write_text(text.replace(SAID, f'"version": "{said}",'), encoding="utf-8")
    began = time.perf_counter()
    while time.perf_counter() - began < WITHIN_S:
        answer = http.get("/health")
        took = time.perf_counter() - began
        if answer.status_code == 200 and answer.json().get("version") == said:
            return took
        time.sleep(LOOK_EVERY_S)  # a request after the other would take the processor that the swap needs
    raise TimeoutError(f"{said} didn't answer within {WITHIN_S:.0f} s; the last answer: {answer.text}")


def read(watching: subprocess.Popen[str], until: str) -> None:
    """Print what is said, up to the line that begins so."""
    assert watching.stdout is not None
    for line in watching.stdout:
        print(line.strip())  # noqa: T201  a command's answer
        if line.startswith(until):
            return
    raise RuntimeError("the watching has ended")


def main() -> None:
    """Print how long each change took, and the spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=10)
    changes = parser.parse_args().changes
    folder = StateFolder.from_environ()
    state = LocalState.require(folder.state_file)
    with tempfile.TemporaryDirectory() as scratch, httpx.Client(base_url=state.api_url, timeout=60) as http:
        clone = Clone.at(Path(scratch, "copy"), {"TIDEGATE_STATE_DIR": str(folder.path), "PYTHONUNBUFFERED": "1"})
        text = (clone.root / HANDLER).read_text(encoding="utf-8")
        assert text.count(SAID) == 1, f"{HANDLER} has another form: adapt this to it"
        with clone.start("watch") as watching:
            try:
                read(watching, "Watching")
                took = []
                for number in range(changes):
                    took.append(timed(clone, http, text, number + 1))
                    read(watching, LAST)
            finally:
                watching.kill()
        swap.put_back(folder, state.endpoint_url)
    print("from the save to the first new answer, in s: " + ", ".join(f"{one:.2f}" for one in took))  # noqa: T201  a command's answer
    spread = f"min {min(took):.2f} s, median {statistics.median(took):.2f} s, max {max(took):.2f} s"
    print(f"{spread}; {sum(one <= GOAL_S for one in took)} of {len(took)} within {GOAL_S:.0f} s")  # noqa: T201  a command's answer


if __name__ == "__main__":
    main()
