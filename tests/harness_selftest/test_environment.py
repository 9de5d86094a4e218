"""No test sees the developer's settings, and none leaves its own behind; no server outlives the run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).parents[2]

STARTS_A_SERVER = """
from tests.harness.redis_server import RedisServer
with RedisServer() as server:
    print(server.pid, flush=True)
    input()
"""


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_sets_ends_with_it(turn):
    assert "TIDEGATE_TABLE" not in os.environ
    assert os.environ.pop("AWS_REGION") == "us-east-1"
    os.environ["TIDEGATE_TABLE"] = str(turn)


def test_credentials_are_made_up_and_no_profile_is_read():
    session = boto3.Session()
    assert session.get_credentials().access_key == "test"
    assert session.available_profiles == []
    assert session.region_name == "us-east-1"
    assert not [name for name in os.environ if name.startswith("AWS_ENDPOINT") or name == "AWS_PROFILE"]


def test_a_server_dies_with_a_killed_test_run(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_A_SERVER],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        server = int(run.stdout.readline())
        os.kill(server, signal.SIGSTOP)
        run.kill()
    ends = time.monotonic() + 30
    while alive(server):
        assert time.monotonic() < ends, "the server outlived its test run"
        time.sleep(0.01)


def alive(pid):
    """Whether it runs; a zombie that nobody has waited for yet doesn't."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")
