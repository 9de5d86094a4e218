"""A copy is its target's: whatever an application may build its own address of. RFC 9111, section 2."""

import asyncio

import pytest
from fastapi import FastAPI, Request

from tests.harness.cache_status import told
from tests.harness.lambda_events import http_api_event, rest_event
from tests.http.origin import PATH, Origin, is_copy
from tests.http.wire import Call, call, http_scope
from tidegate import Cache, policy, protect

pytestmark = pytest.mark.anyio


class Asked:
    """An application with a shared route that answers with its own address, asked with hand-made scopes."""

    def __init__(self, closing, settings):
        self.app = FastAPI()

        @self.app.get("/links/{path:path}")
        @policy(limits=[], cache=Cache("1h", shared=True))
        async def links(path: str, request: Request):
            return {"self": str(request.url), "base": str(request.base_url)}

        closing.callback(protect(self.app, settings=settings).close)

    async def __call__(self, *fields, path="/links/a", **scope):
        """Ask with these fields, several of one name among them."""
        made = http_scope("GET", path, **scope)
        made["headers"] = [(name.encode(), value.encode()) for name, value in fields]
        asking = Call(self.app, made)
        await asyncio.wait_for(asking.task, 10)
        return asking


@pytest.fixture
def asked(closing, memory):
    return Asked(closing, memory)


def came_again(answer) -> bool:
    return "hit" in answer.headers["cache-status"]


async def again(asked, first, second) -> bool:
    """Whether what was made for one request is given to another."""
    made = await asked(*first.pop("fields", ()), **first)
    assert made.status == 200
    return came_again(await asked(*second.pop("fields", ()), **second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"fields": [("host", "evil.example")]}, {"fields": [("host", "shop.example")]}),
        ({"fields": [("host", "evil.example")]}, {}),
        ({"fields": [("host", "shop.example:8443")]}, {"fields": [("host", "shop.example")]}),
        ({"fields": [("host", "shop.example"), ("host", "evil.example")]}, {"fields": [("host", "shop.example")]}),
        ({"server": ("evil.example", 80)}, {"server": ("shop.example", 80)}),
        ({"scheme": "http"}, {"scheme": "https"}),
        ({"root_path": "/evil"}, {"root_path": ""}),
        ({"fields": [("x-forwarded-host", "evil.example")]}, {}),
        ({"fields": [("x-forwarded-proto", "javascript")]}, {"fields": [("x-forwarded-proto", "https")]}),
        ({"fields": [("x-forwarded-prefix", "/evil")]}, {"fields": [("x-forwarded-prefix", "/shop")]}),
        ({"fields": [("x-forwarded-port", "81")]}, {"fields": [("x-forwarded-port", "80")]}),
        ({"fields": [("x-forwarded-scheme", "http")]}, {}),
        ({"fields": [("x-original-url", "/evil")]}, {}),
        ({"fields": [("x-rewrite-url", "/evil")]}, {}),
        ({"fields": [("x-http-method-override", "POST")]}, {}),
        ({"fields": [("forwarded", "for=192.0.2.1;host=evil.example")]}, {"fields": [("forwarded", "for=192.0.2.1")]}),
        ({"raw_path": b"/links/%ff"}, {"raw_path": b"/links/%fe"}),
        ({"raw_path": b"/links/a%2Fb", "path": "/links/a/b"}, {"raw_path": b"/links/a/b", "path": "/links/a/b"}),
        ({"raw_path": b"/links/a%3Fb", "path": "/links/a?b"}, {"raw_path": b"/links/a", "query_string": b"b"}),
        ({"query_string": b"a=%ff"}, {"query_string": b"a=%fe"}),
        ({"query_string": b"a=1+1"}, {"query_string": b"a=1%2B1"}),
        ({"query_string": b"a=1%261"}, {"query_string": b"a=1&1"}),
        ({"query_string": b"a"}, {"query_string": b"a="}),
        ({"query_string": b"a%00b=1"}, {"query_string": b"a=1"}),
    ],
)
async def test_another_target_has_another_copy(asked, first, second):
    assert not await again(asked, first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"fields": [("host", "Shop.Example")]}, {"fields": [("host", "shop.example:80")]}),
        (
            {"fields": [("host", "shop.example:443")], "scheme": "https"},
            {"fields": [("host", "shop.example")], "scheme": "https"},
        ),
        ({"fields": [("x-forwarded-for", "192.0.2.1")]}, {"fields": [("x-forwarded-for", "192.0.2.2")]}),
        (
            {"fields": [("forwarded", "for=192.0.2.1;host=shop.example")]},
            {"fields": [("forwarded", 'for="[2001:db8::1]:8080"; host=shop.example')]},
        ),
        ({"raw_path": b"/links/%61%7e", "path": "/links/a~"}, {"raw_path": b"/links/a~", "path": "/links/a~"}),
        ({"raw_path": b"/links/%c3%a9"}, {"raw_path": b"/links/%C3%A9"}),
        ({"query_string": b"a=%61&b=2"}, {"query_string": b"b=2&a=a"}),
    ],
)
async def test_one_target_has_one_copy_however_it_is_written(asked, first, second):
    assert await again(asked, first, second)


@pytest.mark.parametrize("event", [rest_event, http_api_event])
@pytest.mark.parametrize(
    ("first", "second"),
    [("/things/%ff", "/things/%fe"), ("/things/a%2Fb", "/things/a/b"), ("/things/a+b", "/things/a%20b")],
)
def test_so_it_is_in_a_function(deploy, memory, event, first, second):
    origin = Origin()
    function = deploy(origin.app, memory)
    assert not is_copy(function.invoke(event("GET", first)))
    assert not is_copy(function.invoke(event("GET", second)))
    assert is_copy(function.invoke(event("GET", first)))
    assert not is_copy(function.invoke(event("GET", first, headers={"Host": "evil.example"})))
    assert not is_copy(function.invoke(event("GET", first, headers={"X-Forwarded-Proto": "http"})))


@pytest.mark.parametrize("event", [rest_event, http_api_event])
def test_a_get_with_a_body_passes_a_functions_cache_by(deploy, memory, event):
    """An event has no Content-Length of its own."""
    origin = Origin()
    function = deploy(origin.app, memory)
    for _ in range(2):
        assert told(function.invoke(event("GET", PATH, body=b"filter"))) == {"fwd": "bypass"}
    assert not is_copy(function.invoke(event("GET", PATH)))
    assert is_copy(function.invoke(event("GET", PATH)))


def test_a_get_with_a_body_in_chunks_passes_the_cache_by(serve, memory):
    origin = Origin()
    api = serve(origin.app, memory)

    async def chunks():
        yield b"filter"

    for _ in range(2):
        assert told(api.get(PATH, content=chunks())) == {"fwd": "bypass"}
    assert not is_copy(api.get(PATH))


async def test_a_body_that_no_field_announces_is_nobody_elses(closing, memory):
    """As HTTP/2 has it: who reads it gets an answer of his own, which isn't kept."""
    app, calls = FastAPI(), []

    @app.get("/search")
    @policy(limits=[], cache=Cache("1h", shared=True))
    async def search(request: Request):
        calls.append((await request.body()).decode())
        return calls[-1]

    closing.callback(protect(app, settings=memory).close)
    for body in (b"one", b"two", b"", b""):
        made = await call(app, "GET", "/search", body=body)
        assert made.body == b'"%b"' % body
    assert calls == ["one", "two", ""]
