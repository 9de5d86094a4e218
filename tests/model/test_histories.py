"""What a real store did is what the model admits; a history that never was is refused, at its first wrong event."""

import threading

import pytest

from tests.model.claim_stores import CLAIM_ID
from tests.model.histories import RecordingClaims, first_refused
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.messages import ClaimRequest, Completed, Granted
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts


def attempt(number):
    return ClaimRequest(CLAIM_ID, "tea", f"attempt-{number}", 20_000, 60_000)


def life(recording, number, how):
    """An attempt's calls, as its route makes them."""
    if isinstance(recording.ask("claim", attempt(number)), Granted):
        if how == "completes":
            recording.ask("renew", attempt(number), b'{"charged": true}')
            recording.ask("complete", attempt(number), f"by {number}".encode())
        elif how == "declines":
            recording.ask("release", attempt(number))


@pytest.fixture
def recording(dynamo, library_table, clock):
    client = DynamoClient(DynamoTimeouts(5, 5), endpoint_url=dynamo.endpoint_url)
    yield RecordingClaims(DynamoClaims(client, library_table, clock), clock)
    client.close()


def storm(recording, hows):
    threads = [threading.Thread(target=life, args=(recording, n, how)) for n, how in hows.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def history(recording, clock):
    """Attempts at once; the holder falls silent, and is taken over; it comes back, and is refused."""
    storm(recording, {0: "declines", 1: "falls silent", 2: "falls silent", 3: "falls silent"})
    recording.ask("claim", attempt(1))
    clock.advance(21)
    storm(recording, {4: "completes", 5: "completes", 6: "completes"})
    recording.ask("complete", attempt(1), b"a zombie's")
    recording.ask("claim", attempt(9))
    return recording.events


def test_what_dynamodb_did_is_admitted(history):
    assert first_refused(history) is None
    assert any(isinstance(event.heard, Completed) for event in history)


def test_a_second_grant_is_refused(history):
    last = history[-1]._replace(heard=Granted())
    assert first_refused([*history[:-1], last]) == last


def test_an_answer_that_nobody_gave_is_refused(history):
    last = history[-1]._replace(heard=Completed(b"a zombie's"))
    assert first_refused([*history[:-1], last]) == last


def test_a_zombies_completion_is_refused(history):
    at = next(n for n, event in enumerate(history) if event.call[2:] == (b"a zombie's",))
    forged = history[at]._replace(heard=True)
    assert first_refused([*history[:at], forged, *history[at + 1 :]]) == forged


def test_a_call_that_was_not_heard_may_have_been_made(recording):
    storm(recording, {0: "completes"})
    unheard = [event._replace(heard=None) for event in recording.events]
    recording.ask("claim", attempt(9))
    assert first_refused([*unheard, recording.events[-1]]) is None
