"""AWS Lambda Web Adapter, simulated: Lambda's events on one side, HTTP to a server in the same sandbox on the other.

    python -m tests.harness.web_adapter

It does what 1.0.0-rc1 does (`src/lib.rs`, `src/readiness.rs`), as far as a server can see it: it waits until the
server answers its check with less than 500, writes the request's context and the invocation's context into two fields
in place of a client's, sends what it knows of both (the typed structures of `lambda_http` drop the rest, such as a
client certificate of a REST API), and streams the response if AWS_LWA_INVOKE_MODE says so. It reads the adapter's own
variables. The real one is a program in Rust, which isn't built here.
"""

import http.client
import json
import os
import sys
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

_EVENT_FIELD, _CONTEXT_FIELD = "x-amzn-request-context", "x-amzn-lambda-context"
_VERSION = "/2018-06-01/runtime/invocation"
_READY_EVERY_S = 0.01
_CHUNKED = {"Transfer-Encoding": "chunked"}
_STREAMED = "application/vnd.awslambda.http-integration-response"
# What lambda_http's structures of a REST API's identity have; it has no clientCert.
_REST_IDENTITY = (
    "accountId",
    "accessKey",
    "apiKey",
    "apiKeyId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "sourceIp",
    "user",
    "userAgent",
    "userArn",
)


def main() -> None:
    host, port = os.environ.get("AWS_LWA_HOST", "127.0.0.1"), int(os.environ["AWS_LWA_PORT"])
    wait_until_ready(host, port, os.environ.get("AWS_LWA_READINESS_CHECK_PATH", "/"))
    streams = os.environ.get("AWS_LWA_INVOKE_MODE") == "response_stream"
    at_once = int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "1"))
    threads = [threading.Thread(target=serve, args=(host, port, streams)) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wait_until_ready(host: str, port: int, path: str) -> None:
    while True:
        try:
            asked = http.client.HTTPConnection(host, port, timeout=5)
            asked.request("GET", path)
            if asked.getresponse().status < 500:
                return
        except OSError:
            pass
        time.sleep(_READY_EVERY_S)


def serve(host: str, port: int, streams: bool) -> None:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", f"{_VERSION}/next")
        try:
            told = api.getresponse()
        except http.client.RemoteDisconnected:
            return  # the environment ends
        event = json.loads(told.read())
        asked = http.client.HTTPConnection(host, port)
        method, target, fields, body = request_of(event, context_of(told.headers))
        asked.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in fields:
            asked.putheader(name, value)
        asked.endheaders(body)
        response = asked.getresponse()
        answer = f"{_VERSION}/{told.headers['Lambda-Runtime-Aws-Request-Id']}/response"
        if streams:
            headers = {"Lambda-Runtime-Function-Response-Mode": "streaming", "Content-Type": _STREAMED}
            api.request("POST", answer, streamed(response), headers | _CHUNKED, encode_chunked=True)
        else:
            api.request("POST", answer, whole(response))
        api.getresponse().read()


def context_of(told: Any) -> dict[str, Any]:
    """lambda_runtime's `Context`, as its serializer writes it."""
    return {
        "request_id": told["Lambda-Runtime-Aws-Request-Id"],
        "deadline": int(told["Lambda-Runtime-Deadline-Ms"]),
        "invoked_function_arn": told["Lambda-Runtime-Invoked-Function-Arn"],
        "xray_trace_id": None,
        "client_context": None,
        "identity": None,
        "env_config": {"function_name": "shop", "memory": 512, "version": "7", "log_stream": "", "log_group": ""},
    }


def request_of(event: dict[str, Any], context: dict[str, Any]) -> tuple[str, str, list[tuple[str, bytes]], bytes]:
    """Method, target, fields and body of the request that the adapter makes of an event."""
    told = event["requestContext"]
    if "http" in told:
        method, path, query = told["http"]["method"], event["rawPath"], event["rawQueryString"]
    else:
        method, path = event["httpMethod"], event["path"]
        query = urlencode(event.get("queryStringParameters") or {})
    if isinstance(told.get("identity"), dict):
        told = told | {"identity": {name: told["identity"].get(name) for name in _REST_IDENTITY}}
    fields = [
        (name.lower(), value.encode())
        for name, value in (event.get("headers") or {}).items()
        if name.lower() not in {_EVENT_FIELD, _CONTEXT_FIELD, "content-length"}  # HeaderMap::insert
    ]
    fields += [(_EVENT_FIELD, _json(told)), (_CONTEXT_FIELD, _json(context))]
    text = event.get("body") or ""
    body = b64decode(text) if event.get("isBase64Encoded") else text.encode()
    if not any(name == "host" for name, _ in fields):
        fields.append(("host", told.get("domainName", "lambda").encode()))
    fields.append(("content-length", str(len(body)).encode()))
    return method, path + (f"?{query}" if query else ""), fields, body


def whole(response: http.client.HTTPResponse) -> bytes:
    """A buffered response, in a form that all of the senders take."""
    body = response.read()
    headers = {name: value for name, value in response.getheaders() if name.lower() != "transfer-encoding"}
    answer = {"statusCode": response.status, "headers": headers, "body": b64encode(body).decode()}
    return _json(answer | {"isBase64Encoded": True})


def streamed(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """A response as Lambda takes it in pieces: its beginning as JSON, eight zeros, its body."""
    headers = {name: value for name, value in response.getheaders() if name.lower() != "transfer-encoding"}
    yield _json({"statusCode": response.status, "headers": headers, "cookies": []}) + bytes(8)
    while piece := response.read1():
        yield piece


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


if __name__ == "__main__":
    sys.exit(main())
