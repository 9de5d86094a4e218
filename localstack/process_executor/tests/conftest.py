"""Execution environments of real processes, stopped at the end of their test."""

import os
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from localstack_process_executor import Function, FunctionEnvironment, Invocation

RUNTIME = f"python3.{sys.version_info.minor}"

MakeEnvironment = Callable[..., FunctionEnvironment]


@pytest.fixture
def make_environment(tmp_path: Path) -> Iterator[MakeEnvironment]:
    """Make an environment of the code of `app.py`; FOLDER in its variables is the test's own folder."""
    pytest.importorskip("awslambdaric")
    made: list[FunctionEnvironment] = []

    def make(code: str, *, timeout_s: float = 60.0, runtime: str = RUNTIME, layers: Path | None = None):
        root = tmp_path / f"task-{len(made)}"
        root.mkdir()
        (root / "app.py").write_text(textwrap.dedent(code))
        function = Function("app.handler", runtime, sys.executable, root, layers, timeout_s, memory_mb=256)
        variables = {
            "PATH": os.environ["PATH"],
            "FOLDER": str(tmp_path),
            "LAMBDA_TASK_ROOT": str(root),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
            **({} if layers is None else {"LAMBDA_LAYERS_ROOT": str(layers)}),
        }
        environment = FunctionEnvironment(function, "7", variables)
        made.append(environment)
        return environment

    yield make
    for environment in made:
        environment.stop(grace_s=0.0, at_once=True)


@pytest.fixture
def invocation() -> Callable[..., Invocation]:
    """Make an invocation of its own id."""

    def make(payload: str = "{}", trace_id: str | None = None) -> Invocation:
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        return Invocation(str(uuid.uuid4()), arn, payload.encode(), trace_id)

    return make


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Ask until the answer is true, and return it; AssertionError with the last one when time is up."""

    def ask(look: Callable[[], Any], *, within_s: float = 60.0) -> Any:
        ends = time.monotonic() + within_s
        while not (seen := look()):
            assert time.monotonic() < ends, f"still {seen!r} after {within_s} s"
            time.sleep(0.01)
        return seen

    return ask


@pytest.fixture(scope="session")
def is_running() -> Callable[[int], bool]:
    """Whether a process runs; a zombie, which waits to be reaped by whoever inherited it, doesn't."""

    def look(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return look
