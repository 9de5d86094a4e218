"""`tidegate prove-aws --dry-run`: every step that an engine can do passes, and a signed report names the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tidegate_local.prove import signature

pytestmark = pytest.mark.rehearsal

# Zones, subnets and FIS are AWS' own.
NOT_RUN = {"redis-failover", "network-cut"}


@pytest.fixture
def rehearsed(tmp_path):
    environ = {name: value for name, value in os.environ.items() if name not in {"REDIS_URL", "AWS_ENDPOINT_URL"}}
    done = subprocess.run(
        [sys.executable, "-m", "tidegate_local", "prove-aws", "--dry-run"],
        env={**environ, "TIDEGATE_STATE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        check=False,
    )
    (document,) = (tmp_path / "reports").glob("prove-*.json")
    return done, document


def test_what_an_engine_can_do_passes_and_the_rest_is_named(rehearsed):
    done, document = rehearsed
    told = json.loads(document.read_text())
    states = {outcome["step"]: outcome["state"] for outcome in told["outcomes"]}
    assert done.returncode == 0, done.stdout
    assert {step for step, state in states.items() if state == "not run"} == NOT_RUN
    assert {state for step, state in states.items() if step not in NOT_RUN} == {"passed"}
    assert list(states)[-1] == "destroy"
    assert told["rehearsal"]
    assert told["verdict"] == "rehearsal, no proof of AWS: 9 passed, 0 failed, 2 not run"
    figures = {name for outcome in told["outcomes"] for name in outcome["figures"]}
    assert figures >= {"added_latency_p50_ms", "admission_p99_ms", "tests_passed"}
    assert signature.verify(document)
    assert document.with_suffix(".md").read_text().startswith("# Rehearsal of the proof on AWS\n")
