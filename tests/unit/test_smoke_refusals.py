"""Versions that Lambda lets nobody call, or that answer what nobody can read: a fault in words, or a wait."""

from __future__ import annotations

import io
import json

import pytest
from botocore.exceptions import ClientError

from functions.rollout import smoke
from functions.rollout.migration import Migration, MigrationError
from functions.rollout.order import Check, Target
from functions.rollout.patience import Patience
from functions.rollout.smoke import Smoke

SUMS = Target("sums", "7", "any")
CHECKS = {"sums": (Check("/ping", None, 200),)}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(smoke, "_BETWEEN_S", 0.0)
    monkeypatch.setattr(smoke, "_LOOK_S", 0.01)


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": "Rate Exceeded."}}, "Invoke")


class Lambda:
    """Lambda's answers in their order, the last one for ever: errors are raised, bytes answered."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def invoke(self, **_):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"Payload": io.BytesIO(answer if isinstance(answer, bytes) else json.dumps(answer).encode())}


def said(client, checks=CHECKS, seconds=30.0):
    return [str(fault) for fault in Smoke(client, checks).faults([SUMS], Patience.of(seconds))]


@pytest.mark.parametrize(
    "code", ["TooManyRequestsException", "ResourceConflictException", "SnapStartNotReadyException"]
)
def test_a_version_that_can_not_be_called_yet_is_waited_for(code):
    client = Lambda(*[refused(code)] * 9, {"statusCode": 200})
    assert said(client) == []
    assert client.asked == 10


def test_a_version_that_is_throttled_to_the_end_is_a_fault():
    (fault,) = said(Lambda(refused("TooManyRequestsException")), seconds=0.05)
    assert fault.startswith("sums version 7, GET /ping: couldn't be invoked for 0 s (TooManyRequestsException: Rate Ex")


def test_no_more_environments_are_warmed_than_may_run():
    client = Lambda({"statusCode": 200}, {"statusCode": 200}, refused("TooManyRequestsException"))
    assert Smoke(client, CHECKS).warm([SUMS], 5, Patience.of(30)) == []
    assert client.asked == 5


def test_replays_go_on_where_one_was_throttled():
    client = Lambda(refused("TooManyRequestsException"), {"statusCode": 200})
    Smoke(client).replay([(SUMS, "/a")] * 8, 10_000, Patience.of(30))
    assert client.asked == 8


@pytest.mark.parametrize("code", ["KMSAccessDeniedException", "ResourceNotFoundException", "EFSMountTimeoutException"])
def test_a_version_that_lambda_can_not_run_is_at_fault(code):
    assert said(Lambda(refused(code))) == [f"sums version 7, GET /ping: can't be invoked ({code}: Rate Exceeded.)."]


@pytest.mark.parametrize("code", ["ServiceException", "AccessDeniedException"])
def test_what_is_lambda_s_or_the_controller_s_own_is_no_fault_of_a_version(code):
    with pytest.raises(ClientError, match=code):
        said(Lambda(refused(code)))


@pytest.mark.parametrize("answer", [b"\xff\x00", b"<html>", b"", [1], "pong", {"ok": True}])
def test_an_answer_without_a_status_is_a_fault_of_a_get_alone(answer):
    (fault,) = said(Lambda(answer))
    assert "GET /ping: answers without a statusCode: " in fault
    assert said(Lambda(answer), {"sums": (Check(None, {"ping": True}),)}) == []


def test_a_status_may_be_a_text_as_api_gateway_takes_it():
    assert said(Lambda({"statusCode": "200"})) == []
    assert said(Lambda({"statusCode": "oops"})) == ["sums version 7, GET /ping: answers oops: null."]


@pytest.mark.parametrize(
    "answer",
    [b"oops", None, [], {"status": "ok"}, {"status": "done"}, {"status": "done", "schema": "two"}, {"schema": 1}],
)
def test_a_runner_that_answers_what_no_runner_does_is_told_what_to_answer(answer):
    with pytest.raises(MigrationError, match="it has to answer a status"):
        Migration(Lambda(answer).invoke, "migrate").run("expand", "r1")
