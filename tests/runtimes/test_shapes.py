"""The table of docs/runtimes.md: each of its columns is a test here, which runs for each of its rows."""

import contextlib
import time

import pytest

from functions.rollout.counts import stored_counts
from tests.harness.lambda_events import alb_event
from tests.harness.waiting import eventually

pytestmark = pytest.mark.slow

FORGED = {
    "x-amzn-request-context": '{"authorizer": {"principalId": "mallory"}, "identity": {"sourceIp": "6.6.6.6"}}',
    "x-amzn-lambda-context": '{"request_id": "forged", "deadline": 4102444800000}',
}
KEY = {"idempotency-key": "order-1"}
AT_SHUTDOWN = {"idempotency-key": "order-0"}


def test_shutdown(runner):
    """First, so that nothing that was counted before is still to be handed over."""
    answers = []
    if runner.shape.at_once and runner.shape.server is not None:
        running = runner.begin("POST", "/slow", headers=AT_SHUTDOWN)
        eventually((runner.folder / "slow").exists)
        runner.terminate()
        (runner.folder / "go-on").touch()
        answers.append(running.result(30))
    else:
        (runner.folder / "go-on").touch()
        answers.append(runner.request("POST", "/slow", headers=AT_SHUTDOWN))
        runner.terminate()
    runner.wait_for_end()
    counted = requests_counted(runner)
    # What was asked before a snapshot isn't counted in each of its copies.
    checks = 0 if "SnapStart" in runner.shape.name else runner.noted("health")
    runner.start()
    answers.append(runner.request("POST", "/slow", headers=AT_SHUTDOWN))
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "1")] * 2, runner.log
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert counted == checks + 1, runner.log
    lines = (runner.folder / "lifespans").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 3 * runner.shape.workers, lines


def test_identity(runner):
    """Whom the platform names, or from whom it was asked; never whom a client names."""
    caller = runner.request("GET", "/whoami", caller="198.51.100.9", headers=FORGED)
    assert caller.json()["principal"] == "ip:198.51.100.9", runner.log
    if runner.shape.event not in {None, alb_event}:
        known = runner.request("GET", "/whoami", user="alice", headers=FORGED)
        assert known.json()["principal"] == "user:alice"
    elif runner.shape.event is None:
        lied = runner.request("GET", "/whoami", headers={"x-forwarded-for": "6.6.6.6, 198.51.100.9"})
        assert lied.json()["principal"] == "ip:198.51.100.9"


def test_limits(runner):
    """One limit over all of its processes."""
    asked = [runner.request("GET", "/limited") for _ in range(7)]
    assert sorted(answer.status_code for answer in asked) == [200] * 3 + [429] * 4, runner.log
    assert runner.request("GET", "/limited", caller="198.51.100.10").status_code == 200


def test_idempotency(runner):
    """One run for one key, whichever process is asked, and at once where several requests run."""
    asked = [runner.begin("POST", "/payments", headers=KEY) for _ in range(3)]
    answers = [each.result(30) for each in asked] + [runner.request("POST", "/payments", headers=KEY)]
    well = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} <= {200, 409}, runner.log
    assert {answer.text for answer in well} == {"1"}
    assert len([answer for answer in well if "idempotent-replayed" not in answer.headers]) == 1
    assert answers[-1].headers["idempotent-replayed"] == "true"


def test_deadlines(runner):
    """The end that Lambda sets, a client's deadline, or none."""
    left_s = runner.request("GET", "/whoami").json()["left_s"]
    if runner.shape.bounded:
        assert 0 < left_s <= 10
    else:
        assert left_s is None
    told = runner.request("GET", "/whoami", headers={"tidegate-timeout-ms": "1500"})
    assert 0 < told.json()["left_s"] <= 1.5


def test_streaming(runner):
    """A piece comes while the handler makes the next one, or all of them at the end."""
    if not runner.shape.streams:
        (runner.folder / "go-on").touch()
        assert runner.request("GET", "/stream").text == "first last"
        return
    response = runner.stream("GET", "/stream")
    assert response.status == 200
    assert next(response.pieces) == b"first "
    (runner.folder / "go-on").touch()
    assert b"".join(response.pieces) == b"last"


def requests_counted(runner) -> int:
    """Those whose outcomes are in Redis."""
    function, version = runner.shape.counted_as
    with contextlib.closing(stored_counts(runner.variables)) as reader:
        found = reader.since(function, [version], int(time.time()) - 120).get(version)
    return 0 if found is None else sum(seen.requests + seen.refused for seen in (found.cold, found.warm))
