"""The events that a function gets, of each sender: the route is matched, links are right, answers have their shape."""

import base64
import json

import pytest
from fastapi import FastAPI, Request, Response
from starlette.responses import RedirectResponse

from tests.harness.lambda_events import KINDS, LambdaContext, alb_event, function_url_event, http_api_event, rest_event
from tidegate import lambda_handler

HOST = {"Host": "shop.example"}


def body(reply):
    assert reply["statusCode"] == 200, reply
    text = base64.b64decode(reply["body"]) if reply["isBase64Encoded"] else reply["body"]
    return json.loads(text)


def custom_domain(path, proxied, resource="/{proxy+}"):
    """A REST API at a custom domain, whose base path is in front of the path that the API has."""
    event = rest_event("GET", path, headers=HOST, resource=resource)
    event["pathParameters"] = {"proxy": proxied}
    event["requestContext"] |= {"path": path, "domainName": "shop.example"}
    return event


def keyed(path, route_key, parameters, stage="$default"):
    event = http_api_event("GET", path, headers=HOST)
    event |= {"routeKey": route_key, "pathParameters": parameters}
    event["requestContext"] |= {"stage": stage, "routeKey": route_key}
    return event


@pytest.mark.parametrize(
    ("event", "root"),
    [
        (rest_event("GET", "/v1/orders/3", headers=HOST, stage="prod"), "/prod"),
        (rest_event("GET", "/v1/orders/3", headers=HOST, stage="v1"), "/v1"),
        (custom_domain("/v1/orders/3", "v1/orders/3"), ""),
        (custom_domain("/shop/v1/orders/3", "v1/orders/3"), "/shop"),
        (custom_domain("/eu/shop/v1/orders/3", "v1/orders/3"), "/eu/shop"),
        (custom_domain("/v1/v1/orders/3", "v1/orders/3"), "/v1"),
        (custom_domain("/shop/v1/orders/3", "orders/3", "/v1/{proxy+}"), "/shop"),
        # An event that contradicts itself, as made-up ones do: the routes decide.
        (custom_domain("/v1/orders/3", "orders/3"), ""),
        (custom_domain("/v1/orders/3", ""), ""),
        (http_api_event("GET", "/v1/orders/3", headers=HOST), ""),
        (http_api_event("GET", "/v1/orders/3", headers=HOST, stage="prod"), "/prod"),
        (http_api_event("GET", "/v1/orders/3", headers=HOST, stage="v1"), "/v1"),
        (keyed("/v1/orders/3", "GET /v1/orders/{id}", {"id": "3"}, "v1"), ""),
        (keyed("/shop/v1/orders/3", "GET /v1/orders/{id}", {"id": "3"}), "/shop"),
        (keyed("/shop/v1/orders/3", "ANY /{proxy+}", {"proxy": "v1/orders/3"}), "/shop"),
        (function_url_event("GET", "/v1/orders/3", headers=HOST), ""),
        (alb_event("GET", "/v1/orders/3", headers=HOST), ""),
    ],
)
def test_the_route_is_matched_and_links_are_right_whatever_comes_before(ask, event, root):
    told = body(ask(event))
    assert told["id"] == "3"
    assert told["root"] == root
    assert told["link"] == f"https://shop.example{root}/v1/orders/7"


@pytest.mark.parametrize("path", ["/shop", "/shop/"])
def test_a_base_path_alone_is_the_first_page(ask, path):
    assert body(ask(http_api_event("GET", path, headers=HOST), base_path="shop")) == "https://shop.example/shop/"


@pytest.mark.parametrize("base_path", ["shop", "/shop", "/shop/"])
def test_a_base_path_that_nobody_says_can_be_told(ask, base_path):
    told = body(ask(alb_event("GET", "/shop/v1/orders/3", headers=HOST), base_path=base_path))
    assert told["link"] == "https://shop.example/shop/v1/orders/7"
    assert body(ask(alb_event("GET", "/v1/orders/3", headers=HOST), base_path=base_path))["root"] == ""


@pytest.mark.parametrize("event", [rest_event, http_api_event])
@pytest.mark.parametrize("own", ["/prod", "/v1", "/behind/a/proxy"])
def test_an_application_may_say_itself_what_comes_before(event, own):
    app = FastAPI()
    app.root_path = own

    @app.get("/v1/orders/{order_id}", name="order")
    async def order(order_id: str, request: Request):
        return str(request.url_for("order", order_id="7"))

    reply = lambda_handler(app)(event("GET", "/v1/orders/3", headers=HOST, stage="prod"), LambdaContext())
    assert body(reply) == f"https://shop.example{own}/v1/orders/7"


@pytest.mark.parametrize("kind", KINDS)
def test_paths_queries_and_clients_are_as_they_were_sent(ask, kind):
    query = {"a": "x&y=z", "ü": "1 2+3%", "empty": ""}
    told = body(ask(kind("GET", "/v1/orders/a%2Fb%20c", query=query, headers=HOST)))
    assert told["id"] == "a/b c"
    assert told["raw"].endswith("/v1/orders/a%2Fb%20c")
    assert dict(told["query"]) == query
    assert told["client"] == "203.0.113.7"


@pytest.mark.parametrize(
    ("event", "root"),
    [
        (rest_event("GET", "/echo/", headers=HOST, query={"a": "1"}, stage="prod"), "/prod"),
        (http_api_event("GET", "/echo/", headers=HOST, query={"a": "1"}, stage="prod"), "/prod"),
        (http_api_event("GET", "/echo/", headers=HOST, query={"a": "1"}), ""),
        (alb_event("GET", "/echo/", headers=HOST, query={"a": "1"}), ""),
    ],
)
def test_a_redirection_to_the_path_without_its_slash_stays_in_the_api(ask, event, root):
    reply = ask(event)
    assert (reply["statusCode"], reply["headers"]["location"]) == (307, f"https://shop.example{root}/echo?a=1")


def test_a_redirection_of_the_handlers_own_is_as_it_wrote_it():
    app = FastAPI()

    @app.get("/old")
    async def old():
        return RedirectResponse("https://shop.example/new")

    reply = lambda_handler(app)(rest_event("GET", "/old", headers=HOST), LambdaContext())
    assert reply["headers"]["location"] == "https://shop.example/new"


def test_several_values_are_several(ask):
    given = {"query": {"a": ["1", "2"]}, "headers": {"x-several": ["one", "two"]}}
    for event in (
        rest_event("GET", "/v1/orders/3", **given),
        alb_event("GET", "/v1/orders/3", several_values=True, **given),
    ):
        told = body(ask(event))
        assert told["query"] == [["a", "1"], ["a", "2"]]
        assert told["several"] == ["one", "two"]


def test_an_http_apis_cookies_are_one_field(ask):
    event = http_api_event("GET", "/v1/orders/3") | {"cookies": ["a=1", "b=2"]}
    assert body(ask(event))["cookies"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sent", [b"", b"text", "tëxt".encode(), b"\xff\x00" * 9])
def test_bodies_come_and_go_byte_for_byte(ask, kind, sent):
    reply = ask(kind("POST", "/echo", body=sent))
    assert reply["statusCode"] == 200
    assert (base64.b64decode(reply["body"]) if reply["isBase64Encoded"] else reply["body"].encode()) == sent


def answering(headers, content="{}"):
    app = FastAPI()

    @app.get("/")
    async def answers():
        response = Response(content)
        response.raw_headers = headers
        return response

    return lambda_handler(app)


COOKIES = [(b"content-type", b"text/plain"), (b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-latin", b"\xe9")]


def test_answers_have_the_shape_that_their_sender_takes():
    handler = answering(COOKIES)
    rest = handler(rest_event(), LambdaContext())
    assert rest["multiValueHeaders"] == {"set-cookie": ["a=1", "b=2"]}
    assert rest["headers"]["x-latin"] == "é"
    v2 = handler(http_api_event(), LambdaContext())
    assert v2["cookies"] == ["a=1", "b=2"]
    assert set(v2["headers"]) == {"content-type", "x-latin"}
    several = handler(alb_event(several_values=True), LambdaContext())
    assert several["multiValueHeaders"]["set-cookie"] == ["a=1", "b=2"]
    assert "headers" not in several
    one = handler(alb_event(), LambdaContext())
    assert sorted(value for name, value in one["headers"].items() if name.lower() == "set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("content_type", "content", "encoded"),
    [
        (b"text/plain", b"text", False),
        (b"application/problem+json", b"{}", False),
        (b"application/ld+json; charset=utf-8", b"{}", False),
        (b"image/svg+xml", b"<svg/>", False),
        (b"text/plain; charset=latin-1", b"\xe9", True),
        (b"image/png", b"\x89PNG", True),
    ],
)
def test_text_is_sent_as_text_and_all_else_in_base64(content_type, content, encoded):
    reply = answering([(b"content-type", content_type)], content)(rest_event(), LambdaContext())
    assert reply["isBase64Encoded"] is encoded
    assert (base64.b64decode(reply["body"]) if encoded else reply["body"].encode()) == content


def test_what_is_compressed_is_sent_in_base64():
    headers = [(b"content-type", b"text/plain"), (b"content-encoding", b"gzip")]
    assert answering(headers, b"\x1f\x8b")(rest_event(), LambdaContext())["isBase64Encoded"]
