"""A pytest plugin: a test fails if a function's call in it isn't allowed by the function's role on the stage aws.

After a run of all tests it fails, too, if a role may do what no test needs and `unneeded.py` doesn't explain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.iam.recording import Recorder, Used
from tests.harness.iam.stage_roles import written
from tests.harness.iam.unneeded import unexplained

RECORDER = Recorder(written())
_OUTPUT = "iam_used"


def pytest_configure(config: pytest.Config) -> None:
    RECORDER.install()
    config.stash[_SEEN] = set()


_SEEN: pytest.StashKey[set[Used]] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A hook, not a fixture: hypothesis warns of those."""
    RECORDER.taken()
    yield
    denied = list(dict.fromkeys(RECORDER.taken()))
    if denied:
        pytest.fail("\n".join(denied), pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand on what this process has needed; a worker of xdist hands it to its controller."""
    handed_on = getattr(session.config, "workeroutput", None)
    if handed_on is not None:
        handed_on[_OUTPUT] = [list(used) for used in RECORDER.used]
        return
    session.config.stash[_SEEN] |= RECORDER.used
    if _is_whole(session.config) and unexplained(written(), session.config.stash[_SEEN]):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    node.config.stash[_SEEN] |= {Used(*used) for used in getattr(node, "workeroutput", {}).get(_OUTPUT, ())}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    sentences = unexplained(written(), config.stash[_SEEN]) if _is_whole(config) else []
    if sentences:
        terminalreporter.section("grants of the stage aws", red=True)
        for sentence in sentences:
            terminalreporter.line(sentence)


def _is_whole(config: pytest.Config) -> bool:
    """Whether all tests were asked for, or all quick ones, which need every grant: of a part it can't be told."""
    option = config.option
    chosen = (
        option.keyword
        or option.markexpr == "slow"
        or getattr(option, "lf", False)
        or option.collectonly
        or option.maxfail
    )
    return config.args == config.getini("testpaths") and not chosen and not option.ignore
