"""What servers do beside answering: other event loops, protocols and proxies, new workers, clients that leave."""

import asyncio
import os
import signal
import subprocess

import httpx
import pytest
from websockets.sync.client import connect

from tests.harness.ports import free_port
from tests.harness.waiting import eventually
from tests.runtimes.shapes import _ROOT, SHAPES, Shape, granian, gunicorn, hypercorn, uvicorn

pytestmark = pytest.mark.slow

KEY = {"idempotency-key": "order-1"}
SERVERS = {shape.name: shape for shape in SHAPES if shape.event is None}


def served(name, command, workers=1, **variables):
    return Shape(name, None, command, variables, at_once=True, streams=True, workers=workers)


@pytest.mark.parametrize(
    "command",
    [uvicorn(), hypercorn(), granian("--ws"), uvicorn("--ws", "wsproto")],
    ids=["uvicorn", "hypercorn", "granian", "wsproto"],
)
def test_websockets_pass_through(started, command):
    runner = started(served("websockets", command))
    with connect(f"ws://127.0.0.1:{runner.port}/echo") as socket:
        socket.send("hello")
        assert socket.recv() == "hello"


@pytest.mark.parametrize("command", [hypercorn(), granian("--http", "auto")], ids=["hypercorn", "granian"])
def test_http_2_is_answered_as_http_1_is(started, command):
    runner = started(served("http2", command))
    with httpx.Client(http1=False, http2=True, base_url=runner.url) as client:
        answers = [client.get("/limited") for _ in range(4)]
        assert {answer.http_version for answer in answers} == {"HTTP/2"}
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert client.get("/whoami").json()["http"].startswith("2")


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (uvicorn("--root-path", "/shop"), "/whoami"),
        (hypercorn("--root-path", "/shop"), "/shop/whoami"),
        (granian("--url-path-prefix", "/shop"), "/shop/whoami"),
    ],
    ids=["uvicorn", "hypercorn", "granian"],
)
def test_routes_are_found_below_a_root_path(started, command, asked):
    answer = started(served("root", command)).request("GET", asked)
    assert answer.json()["url"] == "/shop/whoami"
    assert answer.headers["ratelimit-policy"].startswith('"1000/s"')


@pytest.mark.parametrize(
    ("options", "variables", "principal"),
    [
        ([], {}, "ip:203.0.113.7"),  # uvicorn believes proxies on its own host
        (["--no-proxy-headers"], {}, "ip:127.0.0.1"),
        (["--no-proxy-headers"], {"TIDEGATE_TRUSTED_PROXIES": "127.0.0.1"}, "ip:203.0.113.7"),
        (["--forwarded-allow-ips", "192.0.2.1"], {}, "ip:127.0.0.1"),
        (["--forwarded-allow-ips", "*"], {"TIDEGATE_TRUSTED_PROXIES": "1"}, "ip:203.0.113.7"),
    ],
)
def test_callers_address_is_the_one_that_a_trusted_proxy_wrote(started, options, variables, principal):
    runner = started(served("proxied", uvicorn(*options), **variables))
    lied = {"x-forwarded-for": "6.6.6.6, 203.0.113.7"}
    assert runner.request("GET", "/whoami", headers=lied).json()["principal"] == principal


@pytest.mark.parametrize(("loop", "module"), [("asyncio", "asyncio"), ("uvloop", "uvloop")])
def test_the_loop_is_the_one_that_the_server_was_told(started, loop, module):
    assert started(served(loop, uvicorn("--loop", loop))).request("GET", "/whoami").json()["loop"] == module


def test_a_trio_worker_is_refused_with_what_to_write(tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(_ROOT), "TIDEGATE_STORE": "memory", "RUNTIMES_FOLDER": str(tmp_path)}
    ended = subprocess.run(
        hypercorn("--worker-class", "trio")(free_port()),
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "hypercorn --worker-class asyncio" in ended.stdout + ended.stderr


def test_preloaded_workers_have_connections_and_names_of_their_own(started):
    runner = started(SERVERS["gunicorn --preload"])
    imported = (runner.folder / "imports").read_text().split()

    def environments():
        told = [runner.request("GET", "/whoami").json() for _ in range(8)]
        found = {each["pid"]: each["environment"] for each in told}
        return found if len(found) == 2 else None

    names = eventually(environments)
    assert len(imported) == 1
    assert len({*names.values(), *imported}) == 3


def test_a_worker_that_is_replaced_loses_nothing(started):
    """After so many requests a worker ends and another begins; limits and claims are the fleet's."""
    command = gunicorn("--max-requests", "3")
    runner = started(served("recycled", command, 2))
    answers = [again_until_answered(runner, "/payments") for _ in range(12)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "1")}
    assert eventually(lambda: runner.noted("lifespans", "opened") > 2)
    assert eventually(lambda: runner.noted("lifespans", "closed") > 0)


def again_until_answered(runner, path):
    """A worker that ends closes connections on which a request may be under way; a key makes it safe to send again."""
    for _ in range(5):
        try:
            return runner.request("POST", path, headers=KEY)
        except httpx.TransportError:
            continue
    raise AssertionError(runner.log)


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn", "granian"])
def test_a_stream_ends_when_its_client_leaves(started, name):
    runner = started(SERVERS[name])
    response = runner.stream("GET", "/stream")
    assert next(response.pieces) == b"first "
    response.pieces.close()
    (runner.folder / "go-on").touch()
    eventually((runner.folder / "streams").exists)
    assert runner.request("GET", "/whoami").status_code == 200


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn", "granian"])
def test_a_payment_whose_client_leaves_ends_before_the_server(started, name):
    """SIGTERM comes when its client is gone; the handler ends, and the next attempt gets its response."""
    runner = started(SERVERS[name])

    async def leave():
        async with httpx.AsyncClient(base_url=runner.url) as client:
            asked = asyncio.create_task(client.post("/slow", headers=KEY | {"x-forwarded-for": "203.0.113.7"}))
            await asyncio.to_thread(eventually, (runner.folder / "slow").exists)
            asked.cancel()

    asyncio.run(leave())
    runner.terminate()
    (runner.folder / "go-on").touch()
    runner.wait_for_end()
    runner.start()
    again = runner.request("POST", "/slow", headers=KEY)
    assert (again.status_code, again.text, again.headers.get("idempotent-replayed")) == (200, "1", "true")


def test_an_error_in_the_settings_stops_every_server(tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(_ROOT), "TIDEGATE_STORE": "redis", "RUNTIMES_FOLDER": str(tmp_path)}
    for command in (uvicorn(), hypercorn(), granian()):
        with subprocess.Popen(
            command(free_port()), env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                said, _ = process.communicate(timeout=30)
            finally:
                process.send_signal(signal.SIGKILL)
        assert "TIDEGATE_STORE" in said, command
        assert process.returncode >= 0, "it ended by itself; hypercorn's code is 0 then"
