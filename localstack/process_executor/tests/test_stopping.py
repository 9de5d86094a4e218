"""The end of an environment: SIGTERM, a grace, SIGKILL; and that nothing is left behind."""

import json
import os
import threading

import pytest
from localstack_process_executor import StoppedError

pytestmark = pytest.mark.slow

# So long that a stop which needed SIGKILL would be no pass but a hanging test.
LONG_S = 300.0
IDLE = """
    import atexit, os, pathlib, signal, sys
    folder = pathlib.Path(os.environ["FOLDER"])

    def at_sigterm(number, frame):
        (folder / "handled").touch()
        {then}

    signal.signal(signal.SIGTERM, at_sigterm)
    atexit.register((folder / "left in order").touch)

    def handler(event, context):
        return os.getpid()
"""


# Before 3.12 awslambdaric waits for its next invocation on the main thread, and later on another one.
@pytest.mark.parametrize("runtime", ["python3.11", "python3.13"])
@pytest.mark.parametrize("then", ["sys.exit(0)", "pass"])
def test_a_waiting_function_handles_sigterm_and_leaves_by_itself(make_environment, invocation, tmp_path, runtime, then):
    environment = make_environment(IDLE.format(then=then), runtime=runtime)
    environment.invoke(invocation())
    environment.stop(grace_s=LONG_S)
    assert (tmp_path / "handled").exists()
    assert (tmp_path / "left in order").exists()


@pytest.mark.parametrize("runtime", ["python3.11", "python3.13"])
def test_a_handler_may_end_by_the_signal_itself(make_environment, invocation, tmp_path, runtime):
    then = "signal.signal(number, signal.SIG_DFL); signal.raise_signal(number)"
    environment = make_environment(IDLE.format(then=then), runtime=runtime)
    pid = json.loads(environment.invoke(invocation()).payload)
    environment.stop(grace_s=LONG_S)
    assert (tmp_path / "handled").exists()
    assert is_gone(pid)


def test_a_function_without_a_handler_ends_at_once(make_environment, invocation):
    environment = make_environment("import os\ndef handler(event, context): return os.getpid()\n")
    pid = json.loads(environment.invoke(invocation()).payload)
    environment.stop(grace_s=LONG_S)
    assert is_gone(pid)


def test_a_function_that_will_not_leave_is_killed_with_all_that_it_started(make_environment, invocation, eventually):
    environment = make_environment("""
        import os, signal, subprocess, threading
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

        def handler(event, context):
            child = subprocess.Popen(["sleep", "600"])
            threading.Thread(target=threading.Event().wait).start()
            return [os.getpid(), child.pid]
    """)
    pids = json.loads(environment.invoke(invocation()).payload)
    environment.stop(grace_s=0.2)
    for pid in pids:
        eventually(lambda: is_gone(pid))  # noqa: B023 - called at once


def test_a_stop_waits_for_the_invocation_that_is_under_way(make_environment, invocation, tmp_path, eventually):
    environment = make_environment(BUSY)
    answers = []
    running = threading.Thread(target=lambda: answers.append(environment.invoke(invocation())), daemon=True)
    running.start()
    eventually((tmp_path / "begun").exists)
    stopping = threading.Thread(target=environment.stop, daemon=True)
    stopping.start()
    eventually(environment._stopped.is_set)
    (tmp_path / "go").touch()
    running.join()
    stopping.join()
    assert answers[0].payload == b'"done"'
    with pytest.raises(StoppedError):
        environment.invoke(invocation())


def test_a_stop_at_once_ends_the_invocation_too(make_environment, invocation, tmp_path, eventually):
    environment = make_environment(BUSY)
    answers = []
    running = threading.Thread(target=lambda: answers.append(environment.invoke(invocation())), daemon=True)
    running.start()
    eventually((tmp_path / "begun").exists)
    environment.stop(grace_s=LONG_S, at_once=True)
    running.join()
    assert json.loads(answers[0].payload)["errorMessage"].endswith("signal: terminated")


def test_an_environment_that_was_stopped_does_not_start(make_environment):
    environment = make_environment(BUSY)
    environment.stop()
    with pytest.raises(StoppedError):
        environment.start()


BUSY = """
    import os, pathlib, time
    folder = pathlib.Path(os.environ["FOLDER"])

    def handler(event, context):
        (folder / "begun").touch()
        while not (folder / "go").exists():
            time.sleep(0.01)
        return "done"
"""


def is_gone(pid):
    """Whether it has been reaped, too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
