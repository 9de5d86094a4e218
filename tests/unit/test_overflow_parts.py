"""The overflow's pure parts: what is kept of a request, what its answer means, who may go from which state."""

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from tidegate import Caller, ConfigurationError, Policy, Settings, TokenBucket, policy, protect
from tidegate.overflow.kept_fields import Kept
from tidegate.overflow.request import QueuedRequest
from tidegate.overflow.run import KEY, QueuedRun, comes_again_us, queued_run
from tidegate.overflow.sqs import Message
from tidegate.overflow.state import ENDED, MOST_RUNS, REACHED_FROM, QueuedItem
from tidegate.web.stored_response import StoredResponse

LIMITS = [TokenBucket("1/s")]
names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20).map(str.encode)
values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40).map(
    lambda text: text.encode("latin-1")
)


async def never():
    return False


def run(*, begun=False, passes_in_us=None):
    made = QueuedRun(Caller("key:ann"), "key", never)
    made.begun, made.passes_in_us = begun, passes_in_us
    return made


@given(
    body=st.binary(max_size=200),
    headers=st.lists(st.tuples(names, values), max_size=8).map(tuple),
    query=st.binary(max_size=40),
    path=st.text(max_size=40),
    key=st.none() | st.text(max_size=20),
    caller=st.builds(Caller, st.text(max_size=20), st.none() | st.text(max_size=9), st.none() | st.text(max_size=9)),
)
def test_a_request_is_kept_as_it_came_but_for_its_credentials(body, headers, query, path, key, caller):
    secret = ((b"authorization", b"Bearer s3cret"), (b"cookie", b"s=3cret"), (b"x-api-key", b"s3cret"))
    scope = {"method": "POST", "path": path, "query_string": query, "headers": [*secret, *headers], "scheme": "https"}
    kept = QueuedRequest.decode(QueuedRequest.of(scope, caller, key, body).encode())
    assert (kept.body, kept.path, kept.key, kept.caller) == (body, path, key, caller)
    assert kept.query_string == Kept().query_string(query)
    assert set(kept.headers) <= set(headers)
    assert b"s3cret" not in kept.encode()
    ran = kept.scope(state={})
    assert (ran["path"], ran["query_string"]) == (path, kept.query_string)
    assert (ran["method"], ran["scheme"]) == ("POST", "https")


@pytest.mark.parametrize("stored", [b"", b"{}", b"[]\n", b'{"v":1}\nbody', b"\xff"])
def test_other_bytes_are_no_request(stored):
    with pytest.raises(ValueError, match="no stored request"):
        QueuedRequest.decode(stored)


@pytest.mark.parametrize(
    "body",
    [
        *(
            "",
            "{}",
            "[]",
            '{"id": "a"}',
            "null",
            "[" * 100_000,
            '{"id": "a", "nonce": 1}',
            '{"id": ["a"], "nonce": "b"}',
        ),
        *('{"id": "", "nonce": "b"}', '{"id": "a#1", "nonce": "b"}', '{"id": "' + "a" * 200 + '", "nonce": "b"}'),
    ],
)
def test_other_messages_are_none(body):
    with pytest.raises(ValueError, match="no message"):
        Message.read(body)
    assert Message.read(Message("a", "b").body()) == Message("a", "b")


RETRY = ((b"retry-after", b"3"),)
REPLAYED = (*RETRY, (b"idempotent-replayed", b"true"))


@pytest.mark.parametrize(
    ("status", "headers", "attempt", "runs", "again_us"),
    [
        (200, (), run(begun=True), 1, None),
        (500, RETRY, run(begun=True), 1, None),
        (429, RETRY, run(passes_in_us=1500), 0, 1500),
        (429, (), run(), 0, None),  # it will never pass
        (409, RETRY, run(), 0, 3_000_000),  # another attempt runs
        (409, (), run(), 0, None),  # its answer was not kept
        (409, REPLAYED, run(), 1, None),  # the handler's own answer, given before
        (503, RETRY, run(), 0, 3_000_000),
        (503, RETRY, run(begun=True), 1, 3_000_000),
        (503, RETRY, run(begun=True), MOST_RUNS, None),
        (503, (), run(begun=True), 1, None),
        (503, ((b"retry-after", b"Wed, 21 Oct 2026 07:28:00 GMT"),), run(), 1, None),
    ],
)
def test_an_answer_is_final_or_says_when_to_come_again(status, headers, attempt, runs, again_us):
    assert comes_again_us(StoredResponse(status, headers, b""), attempt, runs) == again_us


LONG = ((b"retry-after", b"100000"),)


@pytest.mark.parametrize(
    ("status", "headers", "attempt", "again_us"),
    [
        (503, LONG, run(begun=True), None),
        (429, LONG, run(begun=True), None),
        (503, LONG, run(), None),  # of what stands in front of the guard
        (503, ((b"retry-after", b"9" * 5000),), run(begun=True), None),
        (503, ((b"retry-after", b"0" * 5000 + b"3"),), run(begun=True), 3_000_000),
        (503, ((b"retry-after", b"60"),), run(begun=True), 60_000_000),
        (503, ((b"retry-after", b"61"),), run(begun=True), None),
        (429, (), run(passes_in_us=60_000_001), None),
        (429, (), run(passes_in_us=60_000_000), 60_000_000),
        (409, LONG, run(), 60_000_000),  # another attempt runs, and its answer is wanted
    ],
)
def test_a_wait_beyond_the_request_s_time_is_a_final_answer(status, headers, attempt, again_us):
    assert comes_again_us(StoredResponse(status, headers, b""), attempt, 1, 60_000_000) == again_us


def test_what_has_ended_stays_so_but_for_what_never_ran():
    for state, origins in REACHED_FROM.items():
        ended = set(origins) & ENDED
        assert ended == ({"cancelled", "expired"} if state == "queued" else set())
    item = QueuedItem("id", "n", "queued", "p", "q", "w", "f", expires_ms=1000)
    assert [item.state_at(now) for now in (999, 1000)] == ["queued", "expired"]


@pytest.mark.parametrize("marker", [None, "key:ann", {"caller": "key:ann"}, b"1"])
def test_only_a_run_is_a_run(marker):
    scope = {"headers": [(b"tidegate.queued", b"1"), (b"x-tidegate-queued", b"1")], KEY: marker}
    assert queued_run(scope) is None
    made = run()
    assert queued_run({KEY: made}) is made


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"overflow": "drop", "limits": LIMITS}, "write 'queue'"),
        ({"overflow": "queue"}, "limits="),
        ({"overflow": "queue", "limits": LIMITS, "claims": "redis"}, "claims='redis'"),
    ],
)
def test_a_policy_that_cannot_overflow_is_refused(wrong, told):
    with pytest.raises(ConfigurationError, match=told) as raised:
        Policy(**wrong)
    assert raised.value.name == "policy(overflow=…)"


WHOLE = {"table": "t", "queue_url": "https://sqs/1/q.fifo"}


@pytest.mark.parametrize(
    ("settings", "requests", "name"),
    [
        ({"table": "t"}, "/v1/requests", "TIDEGATE_QUEUE_URL"),
        ({"redis_url": "redis://x", "queue_url": "https://sqs/1/q.fifo"}, "/v1/requests", "TIDEGATE_TABLE"),
        (WHOLE, None, "protect(requests=…)"),
        (WHOLE, "/v1/requests", None),
        ({"memory_only": True}, None, None),
    ],
)
def test_what_a_queue_needs_is_missed_at_start(settings, requests, name):
    app = FastAPI()
    gate = protect(app, settings=Settings(**settings), requests=requests)

    @app.post("/exports")
    @policy(limits=LIMITS, overflow="queue")
    async def export():
        return []

    if name is None:
        assert gate._routes()
    else:
        with pytest.raises(ConfigurationError) as raised:
            gate._routes()
        assert raised.value.name == name


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        ("QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/q.fifo", "queue_url", None),
        ("DEAD_LETTER_URL", "http://127.0.0.1:4566/0/dead.fifo", "dead_letter_url", None),
        ("QUEUE_EXPIRY", "10min", "queue_expiry_ms", 600_000),
        ("QUEUE_BOUND", "7", "queue_bound", 7),
        ("QUEUE_BOUND_OF_ALL", "700", "queue_bound_of_all", 700),
    ],
)
def test_the_queue_s_settings_are_read(variable, text, attribute, value):
    read = Settings.from_environ({"TIDEGATE_TABLE": "t", f"TIDEGATE_{variable}": text})
    assert getattr(read, attribute) == (value or text)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/q"),
        ("QUEUE_URL", "q.fifo"),
        ("QUEUE_EXPIRY", "1ms"),
        ("QUEUE_EXPIRY", "5d"),
        ("QUEUE_BOUND", "0"),
        ("QUEUE_BOUND", "many"),
        ("QUEUE_BOUND_OF_ALL", "0"),
    ],
)
def test_a_wrong_setting_of_the_queue_is_named(variable, text):
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_environ({"TIDEGATE_TABLE": "t", f"TIDEGATE_{variable}": text})
    assert raised.value.name == f"TIDEGATE_{variable}"
