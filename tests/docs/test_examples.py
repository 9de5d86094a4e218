"""Each example is started by the line that it states, and asked over HTTP."""

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.harness.ports import free_port
from tests.harness.queues import EventSource, Queues
from tests.harness.server_process import ServerProcess
from tests.harness.waiting import eventually

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LINE = re.compile(r"^ +((?:[A-Z_]+=\S+ )*uvicorn .+)$", re.MULTILINE)
SECRET = "at-least-32-characters-of-a-secret"
Start = Callable[..., httpx.Client]


@pytest.fixture
def start(tmp_path: Path, closing: contextlib.ExitStack) -> Start:
    """`start(name, **variables)`: a client of the example, which serves until the test ends."""

    def started(name: str, **variables: str) -> httpx.Client:
        port = free_port()
        line = LINE.search((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))
        assert line is not None, f"{name} doesn't state its line"
        programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        server = ServerProcess(
            ["/bin/sh", "-c", f"cd {ROOT} && exec env {line[1]} --port {port}"],
            log=tmp_path / "server.log",
            env={**os.environ, "PATH": programs, **variables},
        )
        closing.callback(server.kill)
        server.launch()
        server.wait_until(lambda: _listens(port), deadline_s=30)
        return closing.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30))

    return started


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def test_limits(start):
    client = start("limits")
    ada = {"X-User": "ada", "X-Team": "moon"}
    bob = {"X-User": "bob", "X-Team": "moon"}
    eve = {"X-User": "eve", "X-Team": "sun"}
    asked = [client.get("/search?q=a", headers=ada) for _ in range(3)]
    assert [answer.status_code for answer in asked] == [200] * 3
    asked = [client.get("/search?q=a", headers=bob) for _ in range(3)]
    assert [answer.status_code for answer in asked] == [200, 200, 429]
    assert asked[-1].json()["violated-policies"] == ["team"]
    assert client.get("/search?q=a", headers=eve).status_code == 200
    assert client.get("/report").status_code == 200


def test_payment(start, tmp_path):
    client = start("payment", DATABASE_URL=f"sqlite:///{tmp_path}/payments.db")
    key = {"Idempotency-Key": '"order-1"'}
    first, again = (client.post("/payments?cents=500", headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert client.post("/payments?cents=600", headers=key).status_code == 422
    assert client.get("/payments/count").json() == 1


def test_catalogue(start):
    client = start("catalogue")
    with ThreadPoolExecutor(8) as clients:
        rush = list(clients.map(lambda _: client.get("/products/7"), range(24)))
    assert {answer.json()["cents"] for answer in rush} == {500}
    assert client.get("/looked-up").json() == 1
    assert client.put("/products/7?cents=900").status_code == 200
    assert client.get("/products/7").json()["cents"] == 900
    assert client.get("/products/9").status_code == 404


def test_plans(start):
    client = start("plans")

    def token(plan: str) -> dict[str, str]:
        made = subprocess.run(
            [sys.executable, EXAMPLES / "plans.py", plan, plan],
            env={**os.environ, "PLANS_SECRET": SECRET},
            capture_output=True,
            text=True,
            check=True,
        )
        return {"Authorization": f"Bearer {made.stdout.strip()}"}

    def left(plan: str) -> int:
        answer = client.get("/answers", headers=token(plan))
        assert answer.json()["user"] == plan
        found = re.search(r"r=(\d+)", answer.headers["ratelimit"])
        assert found is not None
        return int(found[1])

    assert left("free") == 9
    assert left("pro") == 99
    assert client.get("/answers", headers={"Authorization": "Bearer forged"}).status_code == 401


def settled(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 200 else None


def test_tokens(start):
    client = start("tokens")
    for _ in range(6):  # 400 are reserved each time: without the settlement the third would be refused
        answer = eventually(lambda: settled(client.get("/chat?most=400")))  # the settlement follows the last byte
        assert len(answer.text.split()) == 12
    assert client.get("/chat?most=501").status_code == 422


def test_streaming(start):
    client = start("streaming")
    with client.stream("GET", "/ticks?seconds=30") as stream:
        pieces = stream.iter_text()  # kept: without its iterator the stream is closed
        assert next(pieces).startswith("data: 0")
        assert client.get("/ticks?seconds=1").status_code == 429


def test_overflow(start, stores, monkeypatch, closing):
    queues = Queues.create(stores.dynamo.endpoint_url, visibility_s=5)
    variables = {
        "TIDEGATE_REDIS_URL": stores.redis.url,
        "TIDEGATE_TABLE": stores.table,
        "TIDEGATE_QUEUE_URL": queues.requests,
        "TIDEGATE_PRINCIPAL_SECRET": "s" * 32,
        "TIDEGATE_DECISION_BUDGET_MS": "3000",
        "AWS_ENDPOINT_URL": stores.dynamo.endpoint_url,
    }
    client = start("overflow", **variables)
    for number in range(30):
        answer = client.post("/exports", headers={"Idempotency-Key": f'"export-{number}"'})
        if answer.status_code == 202:
            break
    assert answer.status_code == 202
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = importlib.util.spec_from_file_location("overflow", EXAMPLES / "overflow.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    closing.callback(module.worker.close)
    source = closing.enter_context(contextlib.closing(EventSource(queues, module.worker)))
    while queues.messages():
        source.poll(wait_s=1)
    done = client.get(answer.headers["location"])
    assert (done.status_code, done.json()) == (201, {"waited": True})


def test_each_example_is_tested():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested
