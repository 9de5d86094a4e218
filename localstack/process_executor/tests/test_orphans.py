"""When LocalStack is SIGKILLed, the functions' processes end with it, whatever they are doing."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import localstack_process_executor
import pytest

PARENT = """
    import json, os, sys, threading
    from pathlib import Path
    from localstack_process_executor import Function, FunctionEnvironment, Invocation

    task = Path(sys.argv[1])
    variables = {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(task), "FOLDER": str(task)}
    environments = [
        FunctionEnvironment(Function("app.handler", "python3.13", sys.executable, task, None, 600, 128), "1", variables)
        for _ in range(2)
    ]

    def start(environment):
        # As LocalStack does: by a thread that ends.
        environment.start()

    for environment in environments:
        thread = threading.Thread(target=start, args=(environment,))
        thread.start()
        thread.join()
    idle = json.loads(environments[0].invoke(Invocation("1", "arn", b'"idle"')).payload)
    threading.Thread(target=environments[1].invoke, args=(Invocation("2", "arn", b'"busy"'),), daemon=True).start()
    print(idle, flush=True)
    sys.stdin.read()
"""
FUNCTION = """
    import os, pathlib, signal, subprocess
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def handler(event, context):
        if event == "idle":
            return os.getpid()
        child = subprocess.Popen(["sleep", "600"])
        folder = pathlib.Path(os.environ["FOLDER"])
        (folder / "draft").write_text(f"[{os.getpid()}, {child.pid}]")
        (folder / "draft").rename(folder / "pids")
        while True:
            pass
"""


@pytest.mark.slow
def test_no_process_outlives_a_parent_that_is_killed(eventually, is_running, tmp_path: Path):
    pytest.importorskip("awslambdaric")
    (tmp_path / "app.py").write_text(textwrap.dedent(FUNCTION))
    package = Path(localstack_process_executor.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(package)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        try:
            idle = int(parent.stdout.readline())
            busy = json.loads(eventually((tmp_path / "pids").exists) and (tmp_path / "pids").read_text())
        finally:
            parent.kill()
    for pid in (idle, *busy):
        eventually(lambda: not is_running(pid))  # noqa: B023 - called at once
