"""A new role is denied for a while: the controller tries again, and the machine tells that from other errors."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from functions.rollout import clock, cloudformation, denial, handler, states
from functions.rollout.denial import DeniedError, is_denial, once_granted
from functions.rollout.migration import Migration, MigrationCrashedError, MigrationDeniedError, MigrationError

WAITING = {"ResponseURL": "http://127.0.0.1:9/answer", "StackId": "stack", "RequestId": "id"}


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetItem")


@pytest.fixture
def paused(monkeypatch):
    """Turn the clock by what is waited; what was waited so far, in seconds."""
    pauses = []
    time = SimpleNamespace(time=lambda: 1000 + sum(pauses), sleep=pauses.append)
    monkeypatch.setattr(clock, "time", time)
    return pauses


class Work:
    """Fails so and so often, then returns."""

    def __init__(self, error, times):
        self.error, self.times, self.tries = error, times, 0

    def __call__(self, *_):
        self.tries += 1
        if self.tries <= self.times:
            raise self.error
        return "done"


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"])
def test_a_denied_call_is_tried_again_until_it_is_granted(paused, code):
    assert once_granted(Work(refused(code), 5), 75) == "done"
    assert paused == [1, 2, 4, 8, 8]


def test_it_is_given_up_in_time(paused):
    work = Work(refused("AccessDeniedException"), 1000)
    with pytest.raises(ClientError, match="AccessDenied"):
        once_granted(work, 75)
    assert 60 < sum(paused) <= 75


@pytest.mark.parametrize("error", [refused("ThrottlingException"), KeyError("Way")])
def test_another_error_is_nobody_s_new_role(paused, error):
    work = Work(error, 1)
    with pytest.raises(type(error)):
        once_granted(work, 75)
    assert (work.tries, paused) == (1, [])
    assert not is_denial(error)


def test_the_machine_is_told_a_denial_by_its_name(monkeypatch):
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 1000)
    for error, told in ((refused("AccessDeniedException"), DeniedError), (refused("ThrottlingException"), ClientError)):
        monkeypatch.setattr(states, "run", Work(error, 1))
        with pytest.raises(ClientError if told is ClientError else DeniedError) as raised:
            handler.handler({"action": "lock", "document": {}}, context)
        assert type(raised.value) is told


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("the journal, in the table guard: AccessDeniedException: not authorized", MigrationDeniedError),
        ("0002: on the item id 7: KeyError: 'total'", MigrationError),
    ],
)
def test_a_migration_that_is_denied_is_no_failed_one(reason, error):
    told = {"status": "failed", "reason": reason}
    invoke = lambda **_: {"Payload": io.BytesIO(json.dumps(told).encode())}  # noqa: E731
    with pytest.raises(error) as raised:
        Migration(invoke, "shop-migrate").run("expand", "r1")
    # A way back goes on without the schema's: it is told as what may be called again.
    assert isinstance(raised.value, MigrationCrashedError) is (error is MigrationDeniedError)
    assert denial.is_denial(raised.value) is (error is MigrationDeniedError)


def answered(monkeypatch, errors):
    """Send a response to where these errors stand in the way, and return what arrives."""
    arrived, left = [], list(errors)

    def urlopen(request, timeout):
        if left:
            raise left.pop(0)
        arrived.append(json.loads(request.data))
        return io.BytesIO()

    web = SimpleNamespace(Request=urllib.request.Request, urlopen=urlopen)
    monkeypatch.setattr(cloudformation, "urllib", SimpleNamespace(request=web))
    cloudformation.answer(WAITING, "SUCCESS", "Promoted.")
    return arrived


def nobody_there():
    return urllib.error.URLError("nobody there")


def test_a_response_that_nobody_takes_is_sent_again(monkeypatch, paused):
    (body,) = answered(monkeypatch, [nobody_there(), TimeoutError(), nobody_there()])
    assert (body["Status"], paused) == ("SUCCESS", [1, 2, 4])


def test_a_response_that_nobody_ever_takes_is_an_error_in_time(monkeypatch, paused):
    with pytest.raises(OSError, match="nobody there"):
        answered(monkeypatch, [nobody_there() for _ in range(100)])
    assert sum(paused) <= 25
