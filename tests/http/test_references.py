"""Where a 202 leads is found by a client that resolves references, in every shape of event and behind a prefix."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from tests.harness.lambda_events import alb_event, function_url_event, http_api_event, rest_event
from tests.http.faces import Function
from tests.http.overflow.exports import Exports
from tidegate import lambda_handler


class Shape(NamedTuple):
    """How a client's path becomes an event: what comes before the application's paths, and who makes the event."""

    before: str
    event: Callable[..., dict[str, Any]]
    base_path: str = ""


def staged(method: str, path: str, **rest: Any) -> dict[str, Any]:
    return rest_event(method, path, stage="live", **rest)


def mapped(method: str, path: str, **rest: Any) -> dict[str, Any]:
    """A REST API at a custom domain with a base path, which stands in both of the event's paths."""
    event = rest_event(method, f"/shop{path}", **rest)
    event["requestContext"]["path"] = event["path"]
    event["pathParameters"] = {"proxy": path.lstrip("/")}
    return event


def balanced(method: str, path: str, **rest: Any) -> dict[str, Any]:
    return alb_event(method, f"/shop{path}", **rest)


SHAPES = {
    "REST at its own domain": Shape("/live", staged),
    "REST at a local engine's": Shape("/_aws/execute-api/a1b2c3/live", staged),
    "REST at a custom domain": Shape("/shop", mapped),
    "HTTP API": Shape("", http_api_event),
    "HTTP API, named stage": Shape("/live", lambda *a, **k: http_api_event(*a, stage="live", **k)),
    "function URL": Shape("", function_url_event),
    "balancer": Shape("", alb_event),
    "balancer, base path told": Shape("/shop", balanced, "/shop"),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_where_a_202_leads_is_found(stores, queues, closing, shape):
    settings = stores.settings(on_lambda=True, queue_url=queues.requests, dead_letter_url=queues.dead_letters)
    exports = Exports(settings)
    closing.callback(exports.gate.close)
    face = closing.enter_context(contextlib.closing(Function(exports.app)))
    face.handler = lambda_handler(exports.app, base_path=shape.base_path)
    origin = f"https://api.test{shape.before}"

    def ask(method: str, url: str, **body: Any) -> httpx.Response:
        """Ask as the gateway lets it through: what isn't below its own prefix isn't this API's."""
        assert url.startswith(f"{origin}/"), f"{url} leads out of {origin}"
        path, query = urlsplit(url.removeprefix(origin)).path, urlsplit(url).query
        event = shape.event(method, path, query=dict(parse_qsl(query)), headers={"host": "api.test"}, **body)
        return face.invoke(event)

    assert ask("POST", f"{origin}/exports", body={"n": 0}).status_code == 201
    accepted = ask("POST", f"{origin}/exports?format=csv", body={"n": 1})
    assert accepted.status_code == 202
    where = urljoin(f"{origin}/exports?format=csv", accepted.headers["location"])
    assert accepted.json()["location"] == accepted.headers["location"]
    found = ask("GET", where)
    assert (found.status_code, found.json()["state"]) == (202, "queued")


@pytest.mark.anyio
@pytest.mark.parametrize("root", ["", "/live", "/behind/a/proxy"])
async def test_where_a_202_leads_is_found_on_a_server_below_a_root(stores, queues, closing, root):
    exports = Exports(stores.settings(queue_url=queues.requests, dead_letter_url=queues.dead_letters))
    closing.callback(exports.gate.close)
    transport = httpx.ASGITransport(exports.app, root_path=root)
    async with httpx.AsyncClient(transport=transport, base_url=f"https://api.test{root}") as http:
        headers = {"x-api-key": "alice"}
        assert (await http.post("/exports", json={"n": 0}, headers=headers)).status_code == 201
        accepted = await http.post("/exports", json={"n": 1}, headers=headers)
        assert accepted.status_code == 202
        found = await http.get(accepted.url.join(accepted.headers["location"]), headers=headers)
        assert (found.status_code, found.json()["state"]) == (202, "queued")
