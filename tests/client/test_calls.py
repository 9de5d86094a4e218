"""What a caller is told of a call, and what else an answer leaves behind."""

import pickle
from concurrent.futures import ProcessPoolExecutor

import httpx
import pytest

from tests.client.simulated_network import Piece, Script, reply
from tidegate.client import (
    Conduct,
    DeadlineExceededError,
    NotSentError,
    QuotaExhaustedError,
    ThrottledError,
)
from tidegate.errors import ConfigurationError

NOTHING = Script()
SILENCE = reply(429, {"retry-after": "20"})


def while_it_pauses(client, happens):
    """Let something happen in the first pause of a call."""
    retrying, left = client.client._transport, [happens]
    if client.is_async:

        async def apause(seconds):
            client.time.advance(seconds)
            if left:
                await left.pop()()

        retrying._sleep = apause
        return

    def pause(seconds):
        client.time.advance(seconds)
        if left:
            left.pop()()

    retrying._sleep = pause


def another_is_told_to_wait(client, server):
    """Make another request of the route in a pause, and let it be told to stay away for long."""

    def ask():
        server.forget()
        server.answers(SILENCE)
        return client.client.post("/v1/orders", extensions={"deadline_s": 2})

    return ask


def test_a_fault_is_raised_when_the_route_falls_silent_in_the_pause(simulate, simulated):
    client = simulate(deadline_s=10, keys_for=True, timeout=1)
    simulated.answers(NOTHING)
    while_it_pauses(client, another_is_told_to_wait(client, simulated))
    with pytest.raises(httpx.ReadTimeout) as raised:
        client.request("POST", "/v1/orders")
    assert not isinstance(raised.value, NotSentError)
    assert "used up" in raised.value.__notes__[0]
    assert len(simulated.asked) == 2


def test_an_answer_is_returned_when_the_route_falls_silent_in_the_pause(simulate, simulated):
    client = simulate(deadline_s=10, keys_for=True)
    simulated.answers(reply(503, {"x-which": "first"}, b"overloaded"))
    while_it_pauses(client, another_is_told_to_wait(client, simulated))
    answer = client.request("POST", "/v1/orders")
    assert (answer.status_code, answer.headers["x-which"], answer.text) == (503, "first", "overloaded")
    assert answer.extensions["attempts"] == 1


def test_an_answer_too_long_to_be_kept_is_returned_and_breaks_off(simulate, simulated):
    client = simulate(deadline_s=10, keys_for=True)
    simulated.answers(reply(503, body=b"x" * 200_000))
    while_it_pauses(client, another_is_told_to_wait(client, simulated))
    with pytest.raises(httpx.ReadError, match="given up"):
        client.request("POST", "/v1/orders")


@pytest.mark.parametrize("first", [reply(503), NOTHING])
def test_a_pause_that_lasts_beyond_the_deadline_ends_with_what_is_known(simulate, simulated, first):
    client = simulate(deadline_s=3, timeout=1)
    simulated.answers(first)

    async def alag():
        simulated.time.advance(5)

    while_it_pauses(client, alag if client.is_async else lambda: simulated.time.advance(5))
    if first is NOTHING:
        with pytest.raises(httpx.ReadTimeout):
            client.request("GET", "/a")
    else:
        assert client.request("GET", "/a").status_code == 503


def test_what_was_not_sent_is_said_to_be_not_sent(simulate, simulated):
    client = simulate(deadline_s=10)
    simulated.answers(SILENCE)
    client.request("POST", "/a")
    with pytest.raises(QuotaExhaustedError) as raised:
        client.request("POST", "/a")
    assert raised.value.retry_after_s == pytest.approx(20)
    assert len(simulated.asked) == 1


def test_the_elapsed_time_is_known_as_httpx_has_it(simulate):
    assert simulate().request("GET", "/a").elapsed.total_seconds() >= 0


def refuse(kind) -> None:
    raise kind("Nothing was sent", httpx.Request("POST", "http://a.test/b", content=b"c"), 1.5)


@pytest.mark.parametrize("kind", [NotSentError, QuotaExhaustedError, ThrottledError, DeadlineExceededError])
def test_what_was_not_sent_can_be_pickled(kind):
    with pytest.raises(kind) as raised:
        refuse(kind)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (type(again), str(again), again.retry_after_s) == (kind, "Nothing was sent", 1.5)
    assert (again.request.method, str(again.request.url)) == ("POST", "http://a.test/b")


def test_what_was_not_sent_comes_out_of_a_process_pool():
    with ProcessPoolExecutor(1) as pool, pytest.raises(ThrottledError, match="Nothing was sent"):
        pool.submit(refuse, ThrottledError).result()


@pytest.mark.parametrize("wrong", [None, float("nan"), float("inf"), float("-inf"), "3", 10**400])
def test_a_deadline_that_never_comes_is_refused_with_words(simulate, simulated, wrong):
    with pytest.raises(ConfigurationError, match="deadline_s"):
        simulate().request("GET", "/a", extensions={"deadline_s": wrong})
    with pytest.raises(ConfigurationError, match="deadline_s"):
        Conduct(deadline_s=wrong)
    assert simulated.asked == []


def test_a_deadline_beyond_all_timeouts_is_one(simulate):
    assert simulate(deadline_s=1e300, timeout=None).request("GET", "/a").status_code == 200


@pytest.mark.parametrize("wait_s", [1.95, 1.0])
def test_a_jittered_wait_ends_before_the_deadline(simulate, simulated, wait_s):
    client = simulate(deadline_s=2)
    simulated.answers(reply(200, {"ratelimit": '"a";r=0;t=2'}))
    client.request("GET", "/a")
    simulated.time.advance(2 - wait_s)
    for _ in range(3):
        assert client.request("GET", "/a").status_code == 200


def test_a_cookie_of_an_unused_answer_is_kept(simulate, simulated):
    client = simulate()
    cookies = [("set-cookie", "first=1"), ("set-cookie", "both=1")]
    raw = (
        "HTTP/1.1 503 No\r\n" + "".join(f"{name}: {value}\r\n" for name, value in cookies) + "content-length: 0\r\n\r\n"
    )
    simulated.answers(Script((Piece(0, raw.encode()),)), reply(200, {"set-cookie": "both=2"}))
    client.request("GET", "/a")
    assert dict(client.client.cookies) == {"first": "1", "both": "2"}


def test_a_cookie_that_no_request_can_bear_is_left_out(simulate, simulated):
    client = simulate()
    simulated.answers(reply(200, {"set-cookie": "a=\xe9"}))
    assert client.request("GET", "/a").status_code == 200
    assert client.request("GET", "/a").status_code == 200
    assert "cookie" not in simulated.asked[-1].fields
