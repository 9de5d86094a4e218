"""Calls are waited for so long and no longer, on threads that hold up nothing else."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tidegate.bounded import Bounded

AMPLE_S = 60.0


@pytest.fixture
def hang():
    """A call that hangs until the test ends."""
    ends = threading.Event()
    yield lambda: ends.wait(AMPLE_S)
    ends.set()


def test_a_calls_result_and_its_error_are_its_own():
    bounded = Bounded("test")
    assert bounded.run(lambda: 7, AMPLE_S) == 7
    with pytest.raises(ZeroDivisionError):
        bounded.run(lambda: 1 // 0, AMPLE_S)
    with pytest.raises(SystemExit):
        bounded.run(sys.exit, AMPLE_S)
    assert bounded.run(lambda: 8, AMPLE_S) == 8


def test_a_thread_is_used_again():
    bounded = Bounded("test")
    names = {bounded.run(threading.get_ident, AMPLE_S) for _ in range(20)}
    assert len(names) <= 2


def test_a_call_that_hangs_is_given_up_and_the_next_one_isnt_held_up(hang):
    bounded = Bounded("test", most=2)
    with pytest.raises(TimeoutError, match="no answer"):
        bounded.run(hang, 0.01)
    assert bounded.run(lambda: 7, AMPLE_S) == 7


def test_what_was_given_up_before_it_began_isnt_begun():
    bounded, ends, begun = Bounded("test", most=1), threading.Event(), []
    with pytest.raises(TimeoutError):
        bounded.run(lambda: ends.wait(AMPLE_S), 0.01)
    with pytest.raises(TimeoutError):
        bounded.run(lambda: begun.append(1), 0.01)
    ends.set()
    assert bounded.run(lambda: 7, AMPLE_S) == 7
    assert not begun


def test_so_many_run_at_once_and_no_more():
    bounded, running, most = Bounded("test", most=3), [], []
    full, gate = threading.Semaphore(0), threading.Event()

    def call() -> None:
        running.append(1)
        most.append(len(running))
        full.release()
        gate.wait(AMPLE_S)
        running.pop()

    with ThreadPoolExecutor(6) as callers:
        waiting = [callers.submit(bounded.run, call, AMPLE_S) for _ in range(6)]
        for _ in range(3):
            assert full.acquire(timeout=AMPLE_S)
        gate.set()
        for one in waiting:
            one.result(AMPLE_S)
    assert max(most) <= 3


def test_a_thread_without_work_ends_and_another_one_takes_the_next_call():
    bounded = Bounded("test", idle_for_s=0.01)
    for _ in range(3):
        idle = bounded.run(threading.current_thread, AMPLE_S)
        idle.join(AMPLE_S)
        assert not idle.is_alive()


def test_callers_at_once_are_all_answered_while_threads_end():
    bounded = Bounded("test", most=2, idle_for_s=0.0)
    with ThreadPoolExecutor(8) as callers:
        assert list(callers.map(lambda n: bounded.run(lambda: n, AMPLE_S), range(2000))) == list(range(2000))


HANGS_AT_THE_END = """
import threading
from tidegate.bounded import Bounded
try:
    Bounded("test").run(threading.Event().wait, 0.01)
except TimeoutError:
    print("given up")
"""


def test_a_call_that_hangs_doesnt_hold_up_the_processs_end():
    done = subprocess.run([sys.executable, "-c", HANGS_AT_THE_END], capture_output=True, timeout=60, check=True)
    assert done.stdout == b"given up\n"


FORKS = """
import os
from tidegate.bounded import Bounded
bounded = Bounded("test")
bounded.run(lambda: None, 60)
child = os.fork()
if child == 0:
    os._exit(bounded.run(lambda: 7, 60))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_fork_has_threads_of_its_own():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], timeout=60, check=True)
