import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.waiting import eventually
from tidegate_local import processes
from tidegate_local.processes import CommandError, ProcessIdentity, is_running, run_logged, spawn, stop

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]
PARENT_SOURCE = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""
PARENT = [sys.executable, "-c", PARENT_SOURCE]


@pytest.fixture
def start(tmp_path):
    started = []

    def start(command) -> ProcessIdentity:
        log = tmp_path / f"{len(started)}.log"
        process = spawn(command, env=os.environ, log=log)
        started.append(process)
        eventually(log.read_text)
        return process

    yield start
    for process in started:
        stop(process, grace_s=0)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_runs_until_it_is_stopped(start):
    process = start(SLEEPER)
    assert is_running(process)
    assert stop(process)
    assert not is_running(process)
    assert not stop(process)


def test_a_process_that_ignores_sigterm_is_killed(start):
    process = start(DEAF)
    assert stop(process, grace_s=0.2)
    assert not is_running(process)


def test_a_stopped_process_ends_at_once(start):
    process = start(SLEEPER)
    os.kill(process.pid, signal.SIGSTOP)
    began = time.monotonic()
    assert stop(process, grace_s=10)
    assert time.monotonic() - began < 5


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_its_children_end_with_it(start, tmp_path):
    process = start(PARENT)
    child = int((tmp_path / "0.log").read_text())
    assert alive(child)
    stop(process)
    eventually(lambda: not alive(child))


def test_a_process_in_a_session_of_its_own_gets_no_ctrl_c(start):
    process = start(SLEEPER)
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid != os.getsid(0)


def test_another_process_of_the_same_pid_is_neither_ours_nor_stopped(start):
    process = start(SLEEPER)
    earlier = ProcessIdentity(process.pid, "some other time")
    assert not is_running(earlier)
    assert not stop(earlier)
    assert is_running(process)


def test_a_pid_that_nobody_has_is_not_running():
    assert not is_running(ProcessIdentity(2**22 + 1, "any"))
    assert not is_running(ProcessIdentity(os.getpid(), ""))


def test_a_program_that_is_not_there_cannot_start(tmp_path):
    with pytest.raises(FileNotFoundError):
        spawn([str(tmp_path / "absent")], env={}, log=tmp_path / "log")


def test_a_logged_command_that_fails_says_so(tmp_path):
    log = tmp_path / "logs" / "log"
    command = [sys.executable, "-c", "import sys; print('out'); sys.exit('why')"]
    with pytest.raises(CommandError) as caught:
        run_logged(command, env=os.environ, log=log, cwd=tmp_path)
    assert caught.value.status == 1
    assert set(log.read_text().split()) == {"out", "why"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_an_interrupted_command_takes_its_children_along(tmp_path):
    log = tmp_path / "log"

    def interrupt(number, frame):
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_logged(PARENT, env=os.environ, log=log, cwd=tmp_path)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    child = int(log.read_text())
    eventually(lambda: not alive(child))


def test_a_second_interrupt_waits_for_no_command(monkeypatch):
    monkeypatch.setattr(processes.interruption, "_seen", [signal.SIGINT])
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    sent = []

    def send(number):
        sent.append(number)
        if number == signal.SIGTERM:
            raise KeyboardInterrupt
        child.send_signal(number)

    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        with pytest.raises(KeyboardInterrupt):
            processes.await_end(child, send)
        assert child.poll() == -signal.SIGKILL
    assert sent == [signal.SIGTERM, signal.SIGKILL]
