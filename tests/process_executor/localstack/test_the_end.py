"""What becomes of functions when they are idle, when LocalStack stops, and when it is killed."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.http.deadlines import eventually

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


def test_an_idle_environment_expires_and_a_kill_of_localstack_leaves_nobody(
    start_localstack, make_function, tmp_path: Path
):
    localstack = start_localstack(LAMBDA_KEEPALIVE_MS="500")
    invoke = make_function(localstack, "idle", CODE.format(folder=str(tmp_path)), Timeout=900)
    first = invoke()
    eventually((tmp_path / f"{first}.ended").exists, within_s=60)
    eventually(lambda: not is_running(first), within_s=60)
    with ThreadPoolExecutor(max_workers=1) as threads:
        threads.submit(invoke, {"stay": True})
        staying = int(eventually(lambda: list(tmp_path.glob("*.staying")), within_s=60)[0].stem)
        localstack.process.kill()
    assert staying != first
    eventually(lambda: not is_running(staying), within_s=60)


def test_localstack_stops_with_its_functions_however_long_it_would_keep_them(
    start_localstack, make_function, tmp_path: Path
):
    localstack = start_localstack(LAMBDA_KEEPALIVE_MS="86400000")
    invoke = make_function(localstack, "kept", CODE.format(folder=str(tmp_path)), Timeout=900)
    with ThreadPoolExecutor(max_workers=1) as threads:
        threads.submit(invoke, {"stay": True})
        staying = int(eventually(lambda: list(tmp_path.glob("*.staying")), within_s=60)[0].stem)
        idle = invoke()
        os.kill(localstack.process.pid, signal.SIGTERM)
        eventually(lambda: not localstack.process.running, within_s=120)
    for pid in (staying, idle):
        assert (tmp_path / f"{pid}.ended").exists()
        assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
