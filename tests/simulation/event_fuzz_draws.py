"""Events of every kind, drawn whole or broken: what each part may be, and what is put where something else was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.harness.lambda_events import LambdaContext, alb_event, function_url_event, http_api_event, rest_event

KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "REST API": rest_event,
    "HTTP API": http_api_event,
    "function URL": function_url_event,
    "balancer": alb_event,
}
OTHER = "no request"

# What is put where something else was: other types, other sizes, and what parsers of HTTP stumble over.
JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    " ",
    "text",
    "a:b:c",
    "[::1]",
    "[::1",
    "\0",
    "\r\nx: y",
    "\ud800",
    "é",
    "💧",
    "%",
    "%zz",
    "%ff",
    "%00",
    "a" * 5000,
    "1" * 400,
    "²",
    "-1",
    "null",
    "{}",
    "//",
    "/../..",
    "?",
    "#",
    ";;;",
    ",,,",
    '"',
    "=?",
    "bytes=0-",
    "W/",
    "*",
    "Basic !",
    "Bearer ",
    "multipart/form-data; boundary=",
    [],
    {},
    [[]],
    {"": ""},
    ["a", 7, None],
    {"sub": ["x"]},
    {"a": {"b": {"c": []}}},
)
PATHS = (
    "/",
    "/products",
    "/products/",
    "/products/7",
    "/products/%2F",
    "/products/a%20b",
    "/orders",
    "/slots",
    "/exports",
    "/wide",
    "/health",
    "/missing",
    "//",
    "/products/..;/",
    "/%ff",
    "/prod/products",
    "*",
    "/" + "a/" * 500,
)
# What the application has; half of the events ask for one of these, as they should.
ROUTES = (
    ("GET", "/products"),
    ("GET", "/products/7"),
    ("POST", "/orders"),
    ("POST", "/exports"),
    ("GET", "/slots"),
    ("GET", "/wide"),
    ("POST", "/wide"),
)
METHODS = ("GET", "GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW")
FIELDS: dict[str, tuple[str, ...]] = {
    "host": ("shop.example", "shop.example:443", "[2001:db8::1]:8443", "a:b:c", "", "shop.example:port"),
    "x-forwarded-for": ("198.51.100.1", "::1, 10.0.0.1", "unknown", ",,", "x" * 400),
    "x-forwarded-port": ("443", "text", "-1", "99999999", ""),
    "x-forwarded-proto": ("https", "http", "ws", "https,http", ""),
    "x-api-key": ("key-1", "key-2", ""),
    "idempotency-key": ("one", '"two"', '"two', "", " ", "k" * 300, '"k";a=1', "é", '"' + "\\" * 2000, "a b"),
    "content-type": (
        "application/json",
        "multipart/form-data; boundary=x",
        "multipart/x; boundary=",
        "text/plain",
        ";",
    ),
    "content-length": ("0", "2", "-1", "x"),
    "if-none-match": ("*", '"a"', 'W/"a", "b"', "a", ",", '"' * 50),
    "cache-control": ("no-cache", "no-store", "max-age=0", "max-age=x", "only-if-cached", "=,="),
    "authorization": ("Bearer t", "Basic !", ""),
    "cookie": ("a=1", "a=1; a=2", ";;", "=", "a"),
    "origin": ("https://shop.example", "null"),
    "tidegate-criticality": ("critical", "sheddable", "Critical", "?1", "(critical)"),
    "tidegate-timeout-ms": ("1", "5000", "-1", "x", "9" * 40, "1.5"),
    "accept-encoding": ("gzip", "*;q=0", ""),
    "range": ("bytes=0-", "x"),
}
BODIES = (
    None,
    "",
    "{}",
    '{"n": 1}',
    "[1",
    "null",
    '{"n": "x"}',
    "\0",
    "é",
    b"",
    b"\xff\xfe",
    b"--x\r\n\r\n--x--",
    {"n": 2},
)
AUTHORIZERS = (
    None,
    {"principalId": "ada", "organisation": "acme", "timeZone": "Europe/Zurich", "criticality": "critical"},
    {"claims": {"sub": "ada", "zoneinfo": "No/Where"}},
    {"claims": "{}"},
    {"jwt": {"claims": {"sub": "ada"}}},
    {"lambda": {"principalId": 7, "organisation": 7}},
    {"lambda": None},
    {"iam": {"userArn": "arn:aws:iam::0:user/ada"}},
    {"iam": {"cognitoIdentity": {"identityId": "eu:1"}}},
)
STRANGERS: tuple[Any, ...] = (
    {},
    None,
    [],
    "text",
    7,
    {"key1": "value1"},
    {"Records": []},
    {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]},
    {"Records": [{"eventSource": "aws:s3"}]},
    {"Records": [{"EventSource": "aws:sns"}]},
    {"Records": [{"cf": {"request": {}}}]},
    {"Records": "x"},
    {"source": "aws.events", "detail-type": "Scheduled Event"},
    {"RequestType": "Create", "StackId": "arn"},
    {"requestContext": {"connectionId": "c"}},
    {"type": "TOKEN", "methodArn": "arn"},
    {"version": "2.0"},
)


@dataclass(frozen=True)
class Made:
    """An event: of which kind, whether it is as its sender makes it, itself, and the invocation's context."""

    kind: str
    whole: bool
    event: Any
    context: Any


def draw(random: Random) -> Made:
    """Draw an event."""
    if random.random() < 0.03:
        return Made(OTHER, True, random.choice(STRANGERS), LambdaContext())
    kind = random.choice(list(KINDS))
    event = _request(random, kind)
    whole = random.random() < 0.4
    for _ in range(0 if whole else random.choice((1, 1, 1, 2, 3, 8))):
        _break(random, event)
    context: Any = LambdaContext()
    if random.random() < 0.05:
        context = random.choice((None, LambdaContext(timeout_ms=0), object()))
    return Made(kind, whole, event, context)


def _request(random: Random, kind: str) -> dict[str, Any]:
    fields = random.sample(list(FIELDS), random.randrange(6))
    options: dict[str, Any] = {
        "headers": {name: random.choice(FIELDS[name]) for name in fields},
        "query": random.choice((None, {"n": "1"}, {"n": ["1", "x"]}, {"é": "&="}, {"": ""}, {"a" * 900: "b"})),
        "body": random.choice(BODIES),
        "source_ip": random.choice(("203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7")),
    }
    line = random.choice(METHODS), random.choice(PATHS)
    if random.random() < 0.6:
        line = random.choice(ROUTES)
        options["headers"] |= {"x-api-key": "key-1", "idempotency-key": f"key-{random.randrange(1000)}"}
        options["body"] = random.choice((options["body"], None, {"n": 1}))
    if kind == "balancer":
        return alb_event(*line, several_values=random.random() < 0.5, **options)
    options["authorizer"] = random.choice(AUTHORIZERS)
    options["stage"] = random.choice(("$default", "prod", "products")) if kind != "REST API" else "prod"
    if kind == "REST API":
        options["api_key_id"] = random.choice((None, "key-1"))
    event = KINDS[kind](*line, **options)
    if random.random() < 0.1:
        event["requestContext"]["requestTimeEpoch"] = event["requestContext"]["timeEpoch"] = random.choice(
            (0, 1, 10**15)
        )
    if kind != "REST API" and random.random() < 0.2:
        event["cookies"] = ["a=1", "b=2"]
    return event


def _break(random: Random, event: dict[str, Any]) -> None:
    """Put anything anywhere, or take something away."""
    at: Any = event
    while True:
        names: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not names:
            break
        name = random.choice(names)
        if isinstance(at[name], dict | list) and at[name] and random.random() < 0.75:
            at = at[name]
            continue
        if random.random() < 0.2:
            del at[name]
        else:
            at[name] = _copied(random.choice(JUNK))
        return
    if isinstance(at, dict):
        at[random.choice(("", "x", "elb", "http", "authorizer", "cookies", "version"))] = _copied(random.choice(JUNK))


def _copied(value: Any) -> Any:
    """A value of its own: what is broken next must not break what is put elsewhere."""
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
