"""What becomes of functions when they are idle, when LocalStack stops, and when it is killed."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.localstack

CODE = """
import os, pathlib, signal, sys, time
folder = pathlib.Path({folder!r})

def at_sigterm(number, frame):
    (folder / f"{{os.getpid()}}.ended").touch()
    sys.exit(0)

signal.signal(signal.SIGTERM, at_sigterm)

def handler(event, context):
    if event.get("stay"):
        (folder / f"{{os.getpid()}}.staying").touch()
        time.sleep(600)
    return os.getpid()
"""


def test_an_idle_environment_expires_and_a_kill_leaves_nobody(
    start_localstack, make_function, eventually, is_running, tmp_path: Path
):
    localstack = start_localstack(LAMBDA_KEEPALIVE_MS="500")
    invoke = make_function(localstack, "idle", CODE.format(folder=str(tmp_path)), Timeout=900)
    first = invoke()
    eventually((tmp_path / f"{first}.ended").exists)
    eventually(lambda: not is_running(first))
    with ThreadPoolExecutor(max_workers=1) as threads:
        threads.submit(invoke, {"stay": True})
        staying = int(eventually(lambda: list(tmp_path.glob("*.staying")))[0].stem)
        localstack.process.kill()
    assert staying != first
    eventually(lambda: not is_running(staying))


def test_localstack_stops_with_its_functions_whatever_it_would_keep(
    start_localstack, make_function, eventually, is_running, tmp_path: Path
):
    localstack = start_localstack(LAMBDA_KEEPALIVE_MS="86400000")
    invoke = make_function(localstack, "kept", CODE.format(folder=str(tmp_path)), Timeout=900)
    with ThreadPoolExecutor(max_workers=1) as threads:
        threads.submit(invoke, {"stay": True})
        staying = int(eventually(lambda: list(tmp_path.glob("*.staying")))[0].stem)
        idle = invoke()
        os.kill(localstack.process.pid, signal.SIGTERM)
        eventually(lambda: localstack.process.poll() is not None, within_s=120)
    for pid in (staying, idle):
        assert (tmp_path / f"{pid}.ended").exists()
        assert not is_running(pid)
