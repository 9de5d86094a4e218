"""SIGTERM to a function's environment: what it has counted and what it holds is handed over before it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from functions.rollout.counts import stored_counts
from tests.conftest import _AWS as CREDENTIALS

_PATIENCE_S = 30


@pytest.fixture
def ended(stores, tmp_path):
    """`ended(scene)`: an environment that was ended by SIGTERM, as (exit code, what it said)."""

    def run(scene: str) -> tuple[int, list[str]]:
        said = []
        with subprocess.Popen(
            [sys.executable, "-m", "tests.http.ending", scene],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | CREDENTIALS | variables(stores) | {"TMPDIR": str(tmp_path)},
        ) as process:
            try:
                for line in process.stdout:
                    said.append(json.loads(line).get("said"))
                    if said[-1] == "ready":
                        process.send_signal(signal.SIGTERM)
                process.wait(_PATIENCE_S)
            finally:
                process.kill()
        return process.returncode, [word for word in said if word]

    return run


def variables(stores) -> dict[str, str]:
    return {
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_ENDPOINT_URL": stores.dynamo.endpoint_url,
        "TIDEGATE_REDIS_URL": stores.redis.url,
        "TIDEGATE_TABLE": stores.table,
        "TIDEGATE_DECISION_BUDGET_MS": "3000",
    }


def requests(stores) -> int:
    """Those that a limit refused are counted apart: a change of store begins without a burst."""
    with contextlib.closing(stored_counts(variables(stores))) as reader:
        counts = reader.since("shop", ["7"], int(time.time()) - 120)["7"]
    return sum(seen.requests + seen.refused for seen in (counts.cold, counts.warm))


def test_what_was_counted_is_in_redis_when_the_process_has_ended(ended, stores):
    assert ended("idle") == (-signal.SIGTERM, ["ready"])
    assert requests(stores) == 3


def test_a_handler_that_was_there_before_has_its_turn_afterwards(ended, stores):
    assert ended("chained") == (3, ["ready", "own handler"])
    assert requests(stores) == 3


def test_slots_of_a_request_that_runs_are_free_when_the_process_has_ended(ended, stores, redis_db):
    assert ended("running") == (-signal.SIGTERM, ["ready"])
    assert [key for key in redis_db.scan_iter("*:c") if redis_db.zcard(key)] == []
    assert requests(stores) == 3


def test_what_redis_does_not_take_is_in_dynamodb(ended, stores):
    stores.redis.kill()
    assert ended("idle") == (-signal.SIGTERM, ["ready"])
    assert requests(stores) == 3
