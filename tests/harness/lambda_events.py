"""Events as API Gateway, a function URL or a balancer sends them, and the context that Lambda gives with them."""

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

Values: TypeAlias = Mapping[str, str | Sequence[str]]  # one value or several by name
Body: TypeAlias = str | bytes | Mapping[str, Any]

_ACCOUNT = "000000000000"
_API = "a1b2c3d4e5"


def rest_event(
    method: str = "GET",
    path: str = "/",
    *,
    headers: Values | None = None,
    query: Values | None = None,
    body: Body | None = None,
    api_key_id: str | None = None,
    source_ip: str = "203.0.113.7",
    request_time_epoch: int | None = None,
    stage: str = "api",
    resource: str = "/{proxy+}",
    authorizer: Mapping[str, Any] | None = None,
    request_id: str | None = None,
) -> dict[str, Any]:
    """A REST API proxy event (payload 1.0).

    `body`: text as it is, bytes as base64, a mapping as JSON with its content type. Without `api_key_id` the
    identity has none, as on local engines. `request_time_epoch` is in ms and now if None.
    """
    text, encoded, sent = _body_of(body, headers)
    many = {name: _listed(value) for name, value in sent.items()}
    queries = {name: _listed(value) for name, value in (query or {}).items()}
    identity: dict[str, Any] = {"sourceIp": source_ip, "userAgent": many.get("user-agent", [None])[-1]}
    if api_key_id is not None:
        identity |= {"apiKeyId": api_key_id, "apiKey": many.get("x-api-key", ["test-key-value"])[-1]}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in many.items()} or None,
        "multiValueHeaders": many or None,
        "queryStringParameters": {name: values[-1] for name, values in queries.items()} or None,
        "multiValueQueryStringParameters": queries or None,
        "pathParameters": {"proxy": path.lstrip("/")} if resource.endswith("{proxy+}") else None,
        "stageVariables": None,
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": _API,
            "domainName": f"{_API}.execute-api.us-east-1.amazonaws.com",
            "httpMethod": method,
            "identity": identity,
            "path": f"/{stage}{path}",
            "protocol": "HTTP/1.1",
            "requestId": request_id or str(uuid.uuid4()),
            "requestTimeEpoch": _now_ms() if request_time_epoch is None else request_time_epoch,
            "resourcePath": resource,
            "stage": stage,
        }
        | ({"authorizer": dict(authorizer)} if authorizer else {}),
        "body": text,
        "isBase64Encoded": encoded,
    }


def http_api_event(
    method: str = "GET",
    path: str = "/",
    *,
    headers: Values | None = None,
    query: Values | None = None,
    body: Body | None = None,
    source_ip: str = "203.0.113.7",
    request_time_epoch: int | None = None,
    stage: str = "$default",
    authorizer: Mapping[str, Any] | None = None,
    request_id: str | None = None,
) -> dict[str, Any]:
    """An HTTP API event (payload 2.0): lower-case header names, several values joined by commas, no API key."""
    text, encoded, sent = _body_of(body, headers)
    pairs = [(name, value) for name, values in (query or {}).items() for value in _listed(values)]
    whole_path = path if stage == "$default" else f"/{stage}{path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": whole_path,
        "rawQueryString": urlencode(pairs),
        "headers": {name.lower(): ",".join(_listed(value)) for name, value in sent.items()},
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": _API,
            "domainName": f"{_API}.execute-api.us-east-1.amazonaws.com",
            "http": {
                "method": method,
                "path": whole_path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": "test",
            },
            "requestId": request_id or str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": stage,
            "timeEpoch": _now_ms() if request_time_epoch is None else request_time_epoch,
        }
        | ({"authorizer": dict(authorizer)} if authorizer else {}),
        "isBase64Encoded": encoded,
    }
    if pairs:
        event["queryStringParameters"] = {name: ",".join(_listed(values)) for name, values in (query or {}).items()}
    return event if text is None else event | {"body": text}


def function_url_event(method: str = "GET", path: str = "/", **rest: Any) -> dict[str, Any]:
    """A function URL's event: an HTTP API's, from a domain of its own."""
    event = http_api_event(method, path, **rest)
    domain = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws"
    event["requestContext"] |= {"domainName": domain, "domainPrefix": domain.partition(".")[0]}
    return event


def cloudfront_event(
    method: str = "GET",
    path: str = "/",
    *,
    forwarded: str = "203.0.113.7",
    place: str = "NRT12-P2",
    headers: Values | None = None,
    **rest: Any,
) -> dict[str, Any]:
    """A function URL's event that CloudFront has signed (origin access control), at one of its places."""
    session = f"EdgeCredentialsProxy+EdgeHostAuthenticationClient-{place}"
    iam = {
        "accessKey": f"ASIA{place}",
        "accountId": _ACCOUNT,
        "callerId": f"AROAEXAMPLE:{session}",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:sts::{_ACCOUNT}:assumed-role/OriginAccessControlRole/{session}",
        "userId": f"AROAEXAMPLE:{session}",
    }
    signed = {"x-amz-date": "20250130T145853Z", "x-amz-security-token": place, "x-forwarded-for": forwarded}
    sent = {**signed, **(headers or {})}
    return function_url_event(method, path, headers=sent, authorizer={"iam": iam}, source_ip="3.172.8.69", **rest)


def alb_event(
    method: str = "GET",
    path: str = "/",
    *,
    headers: Values | None = None,
    query: Values | None = None,
    body: Body | None = None,
    source_ip: str = "203.0.113.7",
    several_values: bool = False,
) -> dict[str, Any]:
    """A balancer's event: paths and queries as they came, the caller's address last in X-Forwarded-For.

    `several_values`: whether the target group has multi-value headers on.
    """
    text, encoded, sent = _body_of(body, headers)
    sent = {"host": "shop-1.us-east-1.elb.amazonaws.com", **{name.lower(): value for name, value in sent.items()}}
    before = [", ".join(_listed(sent["x-forwarded-for"]))] if "x-forwarded-for" in sent else []
    sent |= {
        "x-forwarded-for": ", ".join([*before, source_ip]),
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    queries = {quote(name): [quote(each) for each in _listed(values)] for name, values in (query or {}).items()}
    group = f"arn:aws:elasticloadbalancing:us-east-1:{_ACCOUNT}:targetgroup/shop/49e9d65c45c6791a"
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": method,
        "path": path,
        "body": text or "",
        "isBase64Encoded": encoded,
    }
    if several_values:
        many = {name: _listed(value) for name, value in sent.items()}
        return event | {"multiValueHeaders": many, "multiValueQueryStringParameters": queries}
    return event | {
        "headers": {name: _listed(value)[-1] for name, value in sent.items()},
        "queryStringParameters": {name: values[-1] for name, values in queries.items()},
    }


@dataclass
class LambdaContext:
    """What a handler gets beside its event; its time runs from when it is made."""

    function_name: str = "api"
    function_version: str = "1"
    qualifier: str = "live"
    memory_limit_in_mb: int = 512
    timeout_ms: int = 10_000
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    began_s: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """AWS puts the alias into it; pass the version as `qualifier` for an engine that puts that."""
        return f"arn:aws:lambda:us-east-1:{_ACCOUNT}:function:{self.function_name}:{self.qualifier}"

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        return f"2026/01/01/[{self.function_version}]{self.aws_request_id.replace('-', '')}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the timeout, never below 0."""
        return max(0, self.timeout_ms - int((time.monotonic() - self.began_s) * 1000))


def _body_of(body: Body | None, headers: Values | None) -> tuple[str | None, bool, dict[str, str | Sequence[str]]]:
    """The event's body, whether it is base64, and the headers it is sent with."""
    sent = dict(headers or {})
    if isinstance(body, bytes):
        return base64.b64encode(body).decode("ascii"), True, sent
    if isinstance(body, Mapping):
        if not any(name.lower() == "content-type" for name in sent):
            sent["content-type"] = "application/json"
        return json.dumps(body), False, sent
    return body, False, sent


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


# An event of each sender; all are called in the same way.
KINDS: tuple[Callable[..., dict[str, Any]], ...] = (rest_event, http_api_event, function_url_event, alb_event)
