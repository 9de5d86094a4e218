"""httpx's clients in one line, and what importing them brings along."""

import subprocess
import sys

import httpx
import pytest

from tests.client.scripted_server import Reply
from tidegate.client import AsyncClient, Client, Conduct
from tidegate.client.idempotency import KEY_FIELD
from tidegate.errors import ConfigurationError
from tidegate.idempotency import protocol

QUICK = Conduct(keys_for=True)


def test_one_line_is_a_client_that_retries(server):
    server.answers(503)
    with Client(base_url=server.url, conduct=QUICK) as client:
        answer = client.post("/a")
    assert (answer.status_code, answer.extensions["attempts"]) == (200, 2)


@pytest.mark.anyio
async def test_one_line_is_an_async_client_that_retries(server):
    server.answers(503)
    async with AsyncClient(base_url=server.url, conduct=QUICK) as client:
        answer = await client.post("/a")
    assert (answer.status_code, answer.extensions["attempts"]) == (200, 2)


def test_proxies_of_the_environment_are_used_and_retried(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    server.answers(503)
    with Client() as client:
        assert client.get("http://api.test/a").extensions["attempts"] == 2
    assert [got.path for got in server.got] == ["http://api.test/a"] * 2


def test_a_redirect_within_the_origin_keeps_the_key(server):
    server.answers(Reply(307, {"Location": "/b"}))
    with Client(base_url=server.url, conduct=QUICK, follow_redirects=True) as client:
        assert client.post("/a", content=b"x").status_code == 200
    first, second = server.got
    assert second.fields["idempotency-key"] == first.fields["idempotency-key"]
    assert second.body == b"x"


@pytest.mark.parametrize(
    "wrong",
    [
        {"deadline_s": 0},
        {"attempts": 0},
        {"budget_ratio": 1.5},
        {"budget_tokens": 0},
        {"throttle_k": 1},
        {"criticality": "urgent"},
        {"keys_for": ["/a"]},
    ],
)
def test_options_that_can_not_be_used_are_named(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Conduct(**wrong)


def test_client_and_server_mean_the_same_field():
    assert KEY_FIELD == protocol.FIELD


def test_errors_are_httpx_s(server):
    with Client(base_url=server.url) as client, pytest.raises(httpx.HTTPError):
        client.get("/a", extensions={"deadline_s": -1})


def loaded(code: str, *modules: str) -> str:
    program = f"import sys\n{code}\nprint([name for name in {list(modules)} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_the_server_s_side_imports_no_client():
    code = "from fastapi import FastAPI; from tidegate import protect, Settings\n"
    code += "protect(FastAPI(), settings=Settings(memory_only=True)).close()"
    assert loaded(code, "tidegate.client", "httpx") == "[]"


def test_the_client_imports_no_server_s_side():
    server_s = ("fastapi", "starlette", "boto3", "tidegate.guard", "tidegate.gate", "tidegate.stores.base")
    assert loaded("import tidegate.client", *server_s) == "[]"


def test_without_httpx_it_says_what_to_install():
    code = "sys.modules['httpx'] = None\ntry: import tidegate.client\nexcept ModuleNotFoundError as e: print(e)"
    assert "pip install 'tidegate[client]'" in loaded(code)
