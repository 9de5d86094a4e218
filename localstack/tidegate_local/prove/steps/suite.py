"""The end-to-end tests, against the API that is deployed: those that need no more than HTTP."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate_local.errors import ProofError
from tidegate_local.layout import project_folder
from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.site import Site
from tidegate_local.state import LocalState

# Tests that break Redis, or ask the engine for something, are skipped by the suite itself where they can't.
FILES = ("test_edge", "test_idempotency", "test_limits", "test_shedding")
DEPLOYED = "TIDEGATE_TEST_DEPLOYED"
_COUNTED = re.compile(r"(\d+) (passed|skipped)")


def run(site: Site) -> Seen:
    """Run pytest over them.

    Raises:
        ProofError: a test failed, or none ran.
    """
    return tested(site.state, site.folder, site.environ)


def tested(state: LocalState, folder: Path, environ: Mapping[str, str]) -> Seen:
    """Run the tests against a deployed API.

    Args:
        state: the API.
        folder: for the file that tells the tests of it; keys are in it.
        environ: what the tests' environment has beside this process'.

    Raises:
        ProofError: a test failed, or none ran.
    """
    file = folder / "deployed.json"
    state.write(file)
    tests = [f"tests/e2e/{name}.py" for name in FILES]
    options = ["-q", "-m", "e2e", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=project_folder(),
        env={**os.environ, **environ, DEPLOYED: str(file)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    counted = {word: int(number) for number, word in _COUNTED.findall(done.stdout.rstrip().rpartition("\n")[2])}
    if done.returncode or not counted.get("passed"):
        raise ProofError(f"The end-to-end tests failed:\n{done.stdout[-4000:]}")
    skipped = counted.get("skipped", 0)
    return Seen(
        f"{counted['passed']} tests passed, {skipped} can't be run against a deployed API and were skipped",
        {"tests_passed": counted["passed"], "tests_skipped": skipped},
    )


STEP = Step("e2e", "the end-to-end tests hold", run, longest_s=1200, usd=0.05, needs=("deploy",))
