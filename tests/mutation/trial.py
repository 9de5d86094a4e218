"""One run of some tests over a tree of sources, until the first that fails.

To load pytest, hypothesis and the other packages takes nine seconds of processor time. A fork server loads them once.
Each run is a child of it, which imports everything of this workspace from the tree.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from tests.mutation.tree import CHECKOUT, SourceTree

# pytest's exit codes.
_PASSED, _FAILED, _BROKEN, _NONE_COLLECTED = 0, 1, 3, 5
_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "--tb=no", "--hypothesis-seed=0")
# They are loaded before the first assertion could be rewritten in them, and have none for us.
_LOADED_EARLY = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
_LOADED = ("pytest", "hypothesis.strategies", "httpx", "fastapi.testclient", "mangum", "boto3", "redis", "pydantic")
_OURS = re.compile(r"(tests|functions|infra|examples|tidegate\w*|localstack\w*)(\.|$)")
_FAILURE = re.compile(r"^(FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


class Trial(NamedTuple):
    """The end of a run.

    Attributes:
        code: pytest's exit code; None: it didn't end in time.
        first: the first test that failed; else the last line that was printed.
        seconds: how long the run took.
        at: `FAILED` if that test itself failed, `ERROR` if what it needs did; empty if no test is named.
    """

    code: int | None
    first: str
    seconds: float
    at: str = ""

    @property
    def passed(self) -> bool:
        """Whether all tests passed."""
        return self.code == _PASSED

    @property
    def failed(self) -> bool:
        """Whether a test failed; not so if a server of it didn't start, or pytest couldn't collect it."""
        return (self.code, self.at) == (_FAILED, "FAILED")


class Selection(NamedTuple):
    """The tests of a run.

    Attributes:
        arguments: pytest's: files, or tests by their ids.
        stores: on which stores contract tests run, as TIDEGATE_TEST_STORES has them; empty: on all.
    """

    arguments: tuple[str, ...]
    stores: str = ""


def run(tree: SourceTree, selection: Selection, longest_s: int) -> Trial:
    """Run tests of a tree.

    Args:
        tree: the sources and the tests.
        selection: which tests.
        longest_s: seconds of processor time after which the run is ended; ten times as long if it waits.

    Raises:
        ValueError: the selection has no test, or pytest broke.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        said = Path(scratch) / "output"
        child = _context().Process(target=_child, args=(tree, selection, str(said), longest_s))
        child.start()
        try:
            child.join(10 * longest_s)
            code = child.exitcode
        finally:
            if child.pid is not None:
                with suppress(ProcessLookupError):  # what it started goes with it, and it, if it is still there
                    os.killpg(child.pid, signal.SIGKILL)
            child.join()
        text = said.read_text("utf-8", "replace") if said.exists() else ""
    if code in {_BROKEN, _NONE_COLLECTED}:
        raise ValueError(f"no test ran of {' '.join(selection.arguments)}: {text}")
    failure = _FAILURE.search(text)
    lines = text.split("\n") if text.strip() else [""]
    took = time.monotonic() - began
    if failure is not None:
        return Trial(code, failure[2], took, failure[1])
    return Trial(code, next(line for line in reversed(lines) if line or len(lines) == 1), took)


def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    plugins = [point.module for point in entry_points(group="pytest11") if not _OURS.match(point.module)]
    # This module, too: what runs doesn't change while the checkout does.
    context.set_forkserver_preload([*_LOADED, *plugins, __name__])
    return context


def _child(tree: SourceTree, selection: Selection, said: str, longest_s: int) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (longest_s, longest_s))
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(tree.folder)
    for name in [name for name in sys.modules if _OURS.match(name)]:
        del sys.modules[name]
    installed = [path for path in sys.path if not _is_of(CHECKOUT, path)]
    sys.path[:] = [*tree.roots, *installed]
    os.environ["HYPOTHESIS_PROFILE"] = "first"
    os.environ["PYTHONPATH"] = os.pathsep.join(tree.roots)
    if selection.stores:
        os.environ["TIDEGATE_TEST_STORES"] = selection.stores

    import pytest  # noqa: PLC0415  the fork server has loaded it

    code = pytest.main([*_OPTIONS, *_LOADED_EARLY, *selection.arguments])
    sys.stdout.flush()
    os._exit(code)


def _is_of(checkout: Path, path: str) -> bool:
    """Whether a folder is of the checkout's sources, and not of the environment in it."""
    inside = Path(path).resolve()
    return inside.is_relative_to(checkout) and not inside.is_relative_to(checkout / ".venv")
