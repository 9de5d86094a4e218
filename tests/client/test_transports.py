"""Both transports in front of a real server: what is sent again, when, and with what."""

import contextlib
import threading
import time
from random import Random

import http_sf
import httpx
import pytest

from tests.client.scripted_server import Reply
from tests.harness.ports import free_port
from tidegate import criticality, deadline
from tidegate.client import (
    Conduct,
    DeadlineExceededError,
    Hosts,
    NotSentError,
    QuotaExhaustedError,
    RetryingTransport,
    ThrottledError,
    passing_on,
)

BUSY = Reply(503, {"Retry-After": "2"})
USED_UP = {"RateLimit-Policy": '"burst";q=5;w=10', "RateLimit": '"burst";r=0;t=10'}


def test_what_is_worth_it_is_asked_again_and_answered(connect, server, timeline):
    server.answers(503, 502, Reply(200, body=b'"at last"'))
    answer = connect().request("GET", "/a")
    assert (answer.status_code, answer.json(), answer.extensions["attempts"]) == (200, "at last", 3)
    assert len(server.got) == 3
    assert 0 <= timeline.naps[0] <= 0.2
    assert 0 <= timeline.naps[1] <= 0.4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 425, 500, 501])
def test_other_answers_are_final(connect, server, status):
    server.answers(Reply(status, {"Retry-After": "1"}))
    assert connect().request("GET", "/a").status_code == status
    assert len(server.got) == 1


def test_the_last_answer_is_returned_when_attempts_are_over(connect, server):
    server.answers(503, 503, 503, Reply(503, body=b"fourth"))
    answer = connect().request("GET", "/a")
    assert (answer.status_code, answer.text, len(server.got)) == (503, "fourth", 4)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_is_not_idempotent_is_sent_once(connect, server, method):
    server.answers(503)
    assert connect().request(method, "/a", json={}).status_code == 503
    assert len(server.got) == 1
    assert "idempotency-key" not in server.got[0].fields


def test_a_key_is_made_and_kept_over_retries_with_its_body(connect, server):
    server.answers(Reply(cut=True), Reply(409, {"Retry-After": "1"}), 503, 201)
    client = connect(keys_for=("/v1/*",))
    assert client.request("POST", "/v1/orders", json={"n": 1}).status_code == 201
    keys = {got.fields["idempotency-key"] for got in server.got}
    assert [got.body for got in server.got] == [b'{"n":1}'] * 4
    assert len(keys) == 1
    assert len(http_sf.parse(keys.pop().encode(), tltype="item")[0]) == 36
    client.request("POST", "/v1/orders", json={"n": 1})
    assert server.got[-1].fields["idempotency-key"] != server.got[0].fields["idempotency-key"]


def test_the_application_s_own_key_is_left_as_it_is(connect, server):
    server.answers(503)
    connect(keys_for=True).request("POST", "/a", headers={"Idempotency-Key": "mine"})
    assert [got.fields["idempotency-key"] for got in server.got] == ["mine", "mine"]


def test_a_key_in_progress_without_a_time_is_final(connect, server):
    server.answers(409)
    assert connect(keys_for=True).request("POST", "/a").status_code == 409
    assert len(server.got) == 1


def test_a_streamed_body_is_sent_once(connect, server):
    async def achunks():
        yield b"once"

    def chunks():
        yield b"once"

    server.answers(503)
    face = connect()
    body = achunks() if type(face).__name__ == "AsyncFace" else chunks()
    assert face.request("PUT", "/a", content=body, headers={"Content-Length": "4"}).status_code == 503
    assert [got.body for got in server.got] == [b"once"]


def test_cut_connections_are_tried_again_and_the_last_fault_is_raised(connect, server):
    server.answers(Reply(cut=True), 200)
    assert connect().request("GET", "/a").status_code == 200
    server.answers(*[Reply(cut=True)] * 4)
    with pytest.raises(httpx.TransportError):
        connect().request("GET", "/a")
    assert len(server.got) == 6


def test_nobody_there_is_tried_again(connect, timeline):
    with pytest.raises(httpx.ConnectError):
        connect(base_url=f"http://127.0.0.1:{free_port()}").request("GET", "/a")
    assert len(timeline.naps) == 3


def test_a_server_that_hangs_is_given_up_and_tried_again(connect, server):
    server.answers(Reply(held=True), 200)
    answer = connect().request("GET", "/a", timeout=httpx.Timeout(30, read=0.2))
    assert (answer.status_code, len(server.got)) == (200, 2)


def test_retry_after_is_waited_for_and_jittered(connect, server, timeline):
    server.answers(BUSY, 200)
    assert connect().request("GET", "/a").status_code == 200
    assert 2 <= sum(timeline.naps) <= 2.2 + 0.2


def test_a_retry_after_beyond_the_deadline_is_the_answer(connect, server, timeline):
    server.answers(BUSY)
    client = connect(deadline_s=1.5)
    assert client.request("GET", "/a").status_code == 503
    assert timeline.naps == []
    with pytest.raises(QuotaExhaustedError) as refused:
        client.request("GET", "/a")
    assert refused.value.retry_after_s == pytest.approx(2)
    assert client.request("GET", "/b").status_code == 200
    timeline.clock.advance(2)
    assert client.request("GET", "/a").status_code == 200
    assert len(server.got) == 3


def test_a_quota_that_is_used_up_is_waited_for_before_sending(connect, server, timeline):
    server.answers(Reply(200, USED_UP))
    client = connect()
    client.request("GET", "/orders/1")
    assert timeline.naps == []
    assert client.request("GET", "/orders/2").status_code == 200
    assert 10 <= sum(timeline.naps) <= 11
    assert len(server.got) == 2


def test_a_quota_beyond_the_deadline_fails_at_once_and_says_so(connect, server):
    server.answers(Reply(200, USED_UP))
    client = connect()
    client.request("GET", "/a")
    with pytest.raises(QuotaExhaustedError, match=r"GET /a is used up for 10\.0 s, and 3\.0 s are left") as refused:
        client.request("GET", "/a", extensions={"deadline_s": 3})
    assert isinstance(refused.value, httpx.TransportError)
    assert isinstance(refused.value, NotSentError)
    assert refused.value.request.url.path == "/a"
    assert len(server.got) == 1


def test_what_is_left_is_spent_without_asking(connect, server, timeline):
    server.answers(Reply(200, {"RateLimit": '"burst";r=2;t=10'}))
    client = connect()
    for _ in range(3):
        client.request("GET", "/a")
    assert timeline.naps == []
    client.request("GET", "/a")
    assert 10 <= sum(timeline.naps) <= 11


def test_retries_are_a_tenth_of_the_requests_and_what_was_saved(connect, server):
    client = connect(throttle_k=None)
    server.answers(*[503] * 1000)
    for _ in range(100):
        client.request("GET", "/a")
    # What the first request pays in overflows.
    assert len(server.got) == 100 + 5 + 9


def test_transports_that_share_hosts_share_the_budget(connect, server, timeline):
    hosts = Hosts(Conduct(throttle_k=None, budget_ratio=0), clock=timeline.clock, random=Random(7))
    server.answers(*[503] * 100)
    for _ in range(5):
        connect(hosts=hosts).request("GET", "/a")
    assert len(server.got) == 5 + 5


def test_a_server_that_refuses_everything_is_asked_less(connect, server):
    client = connect(attempts=1)
    server.answers(*[503] * 400)
    refused = 0
    for _ in range(200):
        try:
            client.request("GET", "/a")
        except ThrottledError:
            refused += 1
    assert refused + len(server.got) == 200
    assert 100 < refused < 190


def test_each_criticality_is_throttled_by_itself(connect, server):
    client = connect(attempts=1)
    server.answers(*[503] * 60)
    for _ in range(60):
        with contextlib.suppress(ThrottledError):
            client.request("GET", "/a", headers={"Tidegate-Criticality": "sheddable"})
    for _ in range(5):
        client.request("GET", "/a", headers={"Tidegate-Criticality": "critical"})
    assert [got.fields["tidegate-criticality"] for got in server.got[-5:]] == ["critical"] * 5


def test_each_attempt_says_how_long_it_waits(connect, server):
    server.answers(BUSY, 200)
    connect(deadline_s=20).request("GET", "/a")
    first, second = (deadline.parse_ms(got.fields["tidegate-timeout-ms"]) for got in server.got)
    assert first == 20_000
    assert 20_000 - 2400 <= second <= 20_000 - 2000


def test_an_attempt_that_is_given_up_earlier_says_so(connect, server):
    client = connect()
    client.request("GET", "/a", timeout=5)
    client.request("POST", "/a", timeout=5)
    assert [got.fields["tidegate-timeout-ms"] for got in server.got] == ["5000", "5000"]


def test_a_replayed_answer_is_useful_until_the_deadline(connect, server):
    connect(keys_for=True).request("POST", "/a", timeout=5)
    assert server.got[0].fields["tidegate-timeout-ms"] == "30000"


def test_nothing_is_said_to_somebody_else_s_server(connect, server):
    connect(passes_on=False, criticality="critical").request("GET", "/a")
    assert not [name for name in server.got[0].fields if name.startswith("tidegate")]


@pytest.mark.parametrize(
    ("said", "option", "inherited", "sent"),
    [
        (None, None, None, None),
        (None, None, "sheddable", "sheddable"),
        (None, "normal", "sheddable", "normal"),
        ("critical", "normal", "sheddable", "critical"),
    ],
)
def test_the_nearest_word_on_criticality_is_sent(connect, server, said, option, inherited, sent):
    client = connect(criticality=option)
    token = criticality.current.set(inherited)
    client.request("GET", "/a", headers={"Tidegate-Criticality": said} if said else {})
    criticality.current.reset(token)
    assert server.got[0].fields.get("tidegate-criticality") == sent


def test_what_is_being_served_passes_on_its_deadline_and_criticality(connect, server, timeline):
    # The one clock of both: that of the process.
    timeline.clock.monotonic = time.monotonic
    client = connect()
    with passing_on(httpx.Headers({"Tidegate-Timeout-Ms": "9000", "Tidegate-Criticality": "sheddable"})):
        client.request("GET", "/a")
    client.request("GET", "/a")
    within, after = server.got
    assert within.fields["tidegate-criticality"] == "sheddable"
    assert 0 < int(within.fields["tidegate-timeout-ms"]) <= 9000
    assert "tidegate-criticality" not in after.fields
    assert 9000 < int(after.fields["tidegate-timeout-ms"]) <= 30_000


def test_nothing_is_sent_after_the_deadline(connect, server, timeline):
    token = deadline.current.set(timeline.clock.monotonic())
    with pytest.raises(DeadlineExceededError):
        connect().request("GET", "/a")
    deadline.current.reset(token)
    assert server.got == []


def test_an_unused_answer_leaves_its_connection_for_the_next(connect, server):
    server.answers(503, 503, 200)
    connect().request("GET", "/a")
    assert len({got.port for got in server.got}) == 1


def test_an_unused_answer_that_is_long_is_not_read(connect, server):
    server.answers(Reply(503, body=b"x" * 1_000_000), 200)
    assert connect().request("GET", "/a").status_code == 200
    assert len({got.port for got in server.got}) == 2


def test_threads_share_one_client(server, timeline):
    hosts = Hosts(Conduct(throttle_k=None), clock=timeline.clock, random=Random(7))
    server.answers(*[503] * 1000)
    with httpx.Client(transport=RetryingTransport(hosts=hosts, sleep=timeline.sleep), base_url=server.url) as client:
        threads = [threading.Thread(target=lambda: [client.get("/a") for _ in range(10)]) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # What is paid in while the bucket is full is lost.
    assert 100 + 5 < len(server.got) <= 100 + 5 + 10
