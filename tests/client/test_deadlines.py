"""One deadline for the whole call: whatever is slow in parts, it is over then. Nothing here waits in real time."""

import asyncio
import io
import socket
import threading

import httpx
import pytest

from tests.client.scripted_server import Reply
from tests.client.simulated_faces import ELSEWHERE, HOME, SimulatedClient, took_at_most
from tests.client.simulated_network import Script, in_pieces, reply, transport
from tidegate.client import (
    AsyncClient,
    AsyncRetryingTransport,
    Client,
    Conduct,
    DeadlineExceededError,
    NotSentError,
)

SLOW_BODY = reply(body=b"x" * 40, every_s=0.1, of_bytes=8)
NOTHING = Script()


def told_ms(server) -> list[int]:
    return [int(asked.fields["tidegate-timeout-ms"]) for asked in server.asked]


@pytest.mark.parametrize(
    "script",
    [
        in_pieces(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + b"a: b\r\n" * 20 + b"\r\n", 0.05, 1),
        in_pieces(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.1, 25),
        SLOW_BODY,
        Script((*reply(body=b"x" * 9).pieces, *NOTHING.pieces), connect_s=0.7, bytes_per_s=300),
        reply(connect_s=5),
        reply(bytes_per_s=20),
        in_pieces(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100, 0.1, 6),
        reply(body=b"", fields={"content-length": "5"}),
        NOTHING,
    ],
    ids=["head", "informational", "body", "every phase", "connecting", "writing", "chunks", "body missing", "nothing"],
)
def test_what_is_slow_in_parts_is_over_at_the_deadline(simulate, simulated, script):
    client = simulate(deadline_s=1)
    simulated.answers(*[script] * 4)
    with took_at_most(simulated.time, 1.05), pytest.raises(httpx.TimeoutException):
        client.request("GET", "/a")


@pytest.mark.parametrize("after_s", [0.3, 2.0])
def test_a_body_that_is_streamed_is_over_at_the_deadline(simulate, simulated, after_s):
    client = simulate(deadline_s=1)
    simulated.answers(reply(body=b"x" * 80, every_s=after_s, of_bytes=8))
    with took_at_most(simulated.time, 1.05), pytest.raises(httpx.ReadTimeout):
        client.stream("GET", "/a")


def test_a_long_body_in_time_is_read(simulate, simulated):
    simulated.answers(SLOW_BODY)
    assert simulate(deadline_s=30).stream("GET", "/a") == (200, b"x" * 40)


def test_an_unused_answer_s_slow_body_is_given_up(simulate, simulated):
    client = simulate(deadline_s=5)
    simulated.answers(reply(503, body=b"x" * 40, every_s=0.1, of_bytes=8), 200)
    with took_at_most(simulated.time, 1.2):
        assert client.request("GET", "/a").status_code == 200


def test_an_unused_answer_s_short_body_is_read_however_it_is_framed(simulate, simulated):
    simulated.answers(
        in_pieces(b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 0, 99), 200
    )
    assert simulate().request("GET", "/a").status_code == 200
    assert len({asked.port for asked in simulated.asked}) == 1
    assert len(simulated.open) == 1


def test_redirects_share_one_deadline_and_each_says_what_is_left(simulate, simulated):
    client = simulate(deadline_s=1, follow_redirects=True)
    simulated.answers(*[reply(307, {"location": f"/{hop}"}, every_s=0.3) for hop in range(5)])
    with took_at_most(simulated.time, 1.05), pytest.raises(httpx.ReadTimeout):
        client.request("GET", "/a")
    told = told_ms(simulated)
    assert told == sorted(told, reverse=True)
    assert told[0] == 1000
    assert told[-1] < 400


class TokenFirst(httpx.Auth):
    """Asks for a token, then sends the request, and once more when it is refused."""

    requires_response_body = True

    def auth_flow(self, request):
        token = yield httpx.Request("POST", f"{ELSEWHERE}/token")
        request.headers["authorization"] = token.text
        answer = yield request
        if answer.status_code == 401:
            yield request


def test_authentication_is_part_of_the_call(simulate, simulated):
    client = simulate(deadline_s=1, auth=TokenFirst())
    simulated.answers(reply(every_s=0.4), reply(401, every_s=0.4), reply(every_s=0.4))
    with took_at_most(simulated.time, 1.05), pytest.raises(httpx.ReadTimeout):
        client.request("GET", "/a")
    assert [asked.target for asked in simulated.asked] == ["/token", "/a", "/a"]


def test_a_token_that_takes_all_the_time_leaves_the_request_unsent(simulate, simulated):
    client = simulate(deadline_s=1, auth=TokenFirst())

    def take_time(_):
        simulated.time.advance(1)

    async def atake_time(_):
        simulated.time.advance(1)

    client.client.event_hooks = {"response": [atake_time if client.is_async else take_time]}
    with pytest.raises(DeadlineExceededError):
        client.request("GET", "/a")
    assert [asked.target for asked in simulated.asked] == ["/token"]


def test_what_was_led_on_is_never_said_to_be_unsent(simulate, simulated):
    client = simulate(deadline_s=1, follow_redirects=True)
    simulated.answers(reply(429, {"retry-after": "30"}), reply(307, {"location": "/limited"}))
    assert client.request("POST", "/limited").status_code == 429
    with pytest.raises(httpx.TransportError, match="used up") as raised:
        client.request("POST", "/a")
    assert not isinstance(raised.value, NotSentError)


def give_up(client):
    with pytest.raises(httpx.ReadTimeout):
        client.get("/held")


def test_waiting_for_the_pool_is_part_of_the_call():
    """In real time: the pool's waiting is a lock's. Whoever gives up too late gets an answer, and fails here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            conduct=Conduct(deadline_s=0.5),
            limits=httpx.Limits(max_connections=1),
        )
        with client:
            first = threading.Thread(target=give_up, args=(client,))
            first.start()
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1000)
                with pytest.raises(httpx.TimeoutException):
                    client.get("/b")
                first.join()
            assert client._transport._transport._pool._requests == []


def test_the_addresses_of_a_host_share_the_time(simulated, monkeypatch):
    addresses = [(2, 1, 6, "", (f"192.0.2.{n}", 80)) for n in range(9)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    client = SimulatedClient(simulated, is_async=False, deadline_s=1)
    simulated.answers(*[reply(connect_s=0.4)] * 9)
    with took_at_most(simulated.time, 1.05), pytest.raises(httpx.ConnectTimeout):
        client.request("GET", "http://api.test/a", timeout=httpx.Timeout(30, connect=0.3))
    assert simulated.written == 0
    client.close()


def test_a_name_that_is_looked_up_for_too_long_is_given_up(monkeypatch):
    held = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [held.wait(30)][1:])
    with Client(conduct=Conduct(deadline_s=0.2)) as client, pytest.raises(httpx.ConnectTimeout):
        client.get("http://api.test/a")
    held.set()


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a..test"])
def test_a_name_that_is_none_is_httpx_s_error(name):
    with Client() as client, pytest.raises(httpx.ConnectError):
        client.get(f"http://{name}/a")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a..test"])
async def test_a_name_that_is_none_is_httpx_s_error_in_async(name):
    async with AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://{name}/a")


@pytest.mark.parametrize("is_bare", [False, True])
def test_an_application_in_this_process_is_given_up(simulated, is_bare):
    client = SimulatedClient(simulated, is_async=True, deadline_s=1)

    async def app(scope, receive, send):
        await asyncio.sleep(3)

    async def ask():
        transport = AsyncRetryingTransport(transport=httpx.ASGITransport(app), hosts=client.hosts)
        caller = httpx.AsyncClient(transport=transport) if is_bare else AsyncClient(transport=transport)
        async with caller:
            await caller.get("http://app.test/a")

    with took_at_most(simulated.time, 1.05), pytest.raises(httpx.ReadTimeout):
        client.run(ask())
    client.close()


@pytest.mark.anyio
async def test_an_application_that_heeds_no_cancellation_is_left_alone():
    let_go = threading.Event()

    async def app(scope, receive, send):
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, let_go.wait, 30))

    async with AsyncClient(transport=httpx.ASGITransport(app), conduct=Conduct(deadline_s=0.2)) as caller:
        with pytest.raises(httpx.ReadTimeout):
            await caller.get("http://app.test/a")
    assert not let_go.is_set()
    let_go.set()


def test_authentication_that_is_slow_itself_is_cancelled(simulated):
    client = SimulatedClient(simulated, is_async=True, deadline_s=1)

    class Slow(httpx.Auth):
        async def async_auth_flow(self, request):
            await asyncio.sleep(3)
            yield request

    with took_at_most(simulated.time, 1.05), pytest.raises(DeadlineExceededError):
        client.request("GET", "/a", auth=Slow())
    assert simulated.asked == []
    client.close()


def test_a_real_head_that_drips_is_given_up():
    """In real time: whole, the head would take two seconds and be an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def drip():
            connection, _ = listener.accept()
            with connection:
                for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n":
                    if done.wait(0.05):
                        break
                    connection.sendall(bytes([byte]))

        server = threading.Thread(target=drip)
        server.start()
        with Client(conduct=Conduct(deadline_s=0.3)) as client, pytest.raises(httpx.ReadTimeout):
            client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/a")
        done.set()
        server.join()


def test_httpx_still_makes_its_pool_where_it_is_bounded():
    with Client() as client:
        assert type(client._transport._transport._pool._network_backend).__name__ == "BoundedNetwork"


def test_a_bare_transport_hands_its_deadline_over_hops(connect, server, timeline):
    server.answers(*[Reply(307, {"Location": f"/{hop}"}) for hop in range(3)])
    face = connect(deadline_s=10)
    face._client.follow_redirects = True
    asked = face._client.event_hooks
    waits = timeline.clock.advance

    def pass_time(_):
        waits(2)

    async def apass_time(_):
        waits(2)

    asked["response"].append(apass_time if type(face).__name__ == "AsyncFace" else pass_time)
    assert face.request("GET", "/a").status_code == 200
    assert [got.fields["tidegate-timeout-ms"] for got in server.got] == ["10000", "8000", "6000", "4000"]
    assert face.request("GET", "/a").status_code == 200
    assert server.got[-1].fields["tidegate-timeout-ms"] == "10000"


def test_a_form_s_body_is_part_of_the_call(simulate, simulated):
    client = simulate(deadline_s=1)
    simulated.answers(reply(bytes_per_s=50_000))
    with took_at_most(simulated.time, 1.05), pytest.raises(httpx.TimeoutException):
        client.request("POST", "/a", files={"file": io.BytesIO(b"x" * 1_000_000)})


def test_pieces_of_time_are_what_they_are(simulated):
    """The simulation itself: without a deadline's bound the slow answers would be answers."""
    simulated.answers(SLOW_BODY)
    with httpx.Client(transport=transport(simulated), timeout=2) as plain:
        assert plain.get(f"{HOME}/a").status_code == 200
    assert simulated.time.now_s > 1001
