"""The calls of a cold start on Lambda: DynamoDB's JSON over HTTP, signed, until botocore's client is made.

Botocore takes longer to load than all the rest of a cold start, and a first request with a claim would wait for it.
These calls are made only where botocore would make them just so: on Lambda, by the region, the variables' credentials
and the endpoint that variables name. Where a variable or a file says more, or somebody has loaded botocore (which
tracers and test tools patch), botocore makes the first call, too.
Source: "DynamoDB low-level API", Amazon DynamoDB Developer Guide.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from select import POLLIN, poll
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tidegate.sigv4 import Keys, Scope, signed_fields

if TYPE_CHECKING:
    from tidegate.stores.dynamodb.client import DynamoTimeouts

_TARGET = "DynamoDB_20120810."
_SERVER_ERROR = 500
# Lambda sets these; whoever sets another of AWS' has told botocore something.
_KNOWN = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
    }
)
_KNOWN_BEGINNINGS = ("AWS_LAMBDA_", "AWS_XRAY_", "AWS_ENDPOINT_URL")
# What else changes how botocore calls; a wrapper may trace its calls.
_OTHERS = ("AWS_LAMBDA_EXEC_WRAPPER", "BOTO_CONFIG", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_FILES = ("~/.aws/config", "~/.aws/credentials")
# Elsewhere the endpoint's domain is another.
_PARTITION = ("us-east-", "us-west-", "af-", "ap-", "ca-", "eu-", "il-", "me-", "mx-", "sa-")


class CallError(Exception):
    """DynamoDB refused a call.

    Args:
        response: as botocore's errors have it.
    """

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__("{Code}: {Message}".format_map(response["Error"]))
        self.response = response


class Endpoint(NamedTuple):
    """Where calls go.

    Attributes:
        scheme: http or https.
        host: the name, with the port if it isn't the scheme's own.
        region: for which they are signed.
    """

    scheme: str
    host: str
    region: str

    @classmethod
    def of(cls, environ: Mapping[str, str], url: str | None = None, region: str | None = None) -> Endpoint | None:
        """Return the endpoint; None if botocore has to find it.

        Args:
            environ: the variables.
            url: the endpoint's, if the caller names one.
            region: the region, if the caller names one.
        """
        url = url or environ.get("AWS_ENDPOINT_URL_DYNAMODB") or environ.get("AWS_ENDPOINT_URL")
        region = region or environ.get("AWS_DEFAULT_REGION")
        if not region or not (url or region.startswith(_PARTITION)):
            return None
        parts = urlsplit(url or f"https://dynamodb.{region}.amazonaws.com")
        plain = parts.path in {"", "/"} and not parts.query and "@" not in parts.netloc
        return cls(parts.scheme, parts.netloc.lower(), region) if plain and parts.scheme in {"http", "https"} else None


def first_calls(timeouts: DynamoTimeouts, url: str | None = None, region: str | None = None) -> FirstCalls | None:
    """Return what makes a cold start's calls; None where botocore has to make them.

    Args:
        timeouts: bounds on every call.
        url: the endpoint's, if the caller names one.
        region: the region, if the caller names one.
    """
    environ = os.environ
    if "AWS_LAMBDA_FUNCTION_NAME" not in environ or "botocore" in sys.modules or _says_more(environ):
        return None
    endpoint = Endpoint.of(environ, url, region)
    return None if endpoint is None or Keys.of(environ) is None else FirstCalls(endpoint, timeouts)


def _says_more(environ: Mapping[str, str]) -> bool:
    names = [name for name in environ if name.startswith("AWS_") and name not in _KNOWN]
    if any(not name.startswith(_KNOWN_BEGINNINGS) for name in names):
        return True
    if any(name in environ or name.lower() in environ for name in _OTHERS):
        return True
    return any(Path(file).expanduser().exists() for file in _FILES)


class FirstCalls:
    """Calls DynamoDB by its API; thread-safe.

    Args:
        endpoint: where to.
        timeouts: bounds on every call.
        environ: the variables with the credentials, read at each call.
    """

    def __init__(self, endpoint: Endpoint, timeouts: DynamoTimeouts, environ: Mapping[str, str] = os.environ) -> None:
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._environ = environ
        self._idle: list[HTTPConnection] = []
        self._lock = Lock()
        self._trusted: ssl.SSLContext | None = None

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation; return what botocore would.

        Raises:
            CallError: DynamoDB refused it.
            OSError: it can't be reached, or didn't answer in time; what was asked may have been done.
        """
        body = json.dumps(arguments, separators=(",", ":"), default=_base64).encode()
        for left in reversed(range(self._timeouts.attempts)):
            try:
                return self._attempt(operation, body)
            except (OSError, CallError) as error:
                if not left or (isinstance(error, CallError) and not _passes(error)):
                    raise
        raise AssertionError("a call has one attempt at least")

    def prepare(self) -> None:
        """Read the certificates, so that no call has to."""
        with self._lock:
            if self._trusted is None and self._endpoint.scheme == "https":
                self._trusted = ssl.create_default_context(cafile=_bundle())

    def close(self) -> None:
        """Close the connections that are idle; the next call opens a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _attempt(self, operation: str, body: bytes) -> dict[str, Any]:
        keys = Keys.of(self._environ)
        if keys is None:
            raise CallError({"Error": {"Code": "MissingAuthenticationToken", "Message": "the credentials are gone"}})
        fields = {
            "host": self._endpoint.host,
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": _TARGET + operation,
        }
        signed = signed_fields(fields, body, keys, Scope(self._endpoint.region, "dynamodb"), time())
        connection = self._connected()
        try:
            connection.request("POST", "/", body, signed)
            answer = connection.getresponse()
            content = answer.read()
        except HTTPException as error:
            connection.close()
            raise ConnectionResetError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            connection.close()
            raise
        told = {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return _read(answer.status, told, content)

    def _connected(self) -> HTTPConnection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if not _has_ended(connection):
                    return connection
                connection.close()
        made = self._made()
        made.connect()
        made.sock.settimeout(self._timeouts.read_s)
        return made

    def _made(self) -> HTTPConnection:
        scheme, host, _ = self._endpoint
        if scheme == "http":
            return HTTPConnection(host, timeout=self._timeouts.connect_s)
        self.prepare()
        return HTTPSConnection(host, timeout=self._timeouts.connect_s, context=self._trusted)


def _read(status: int, fields: dict[str, str], content: bytes) -> dict[str, Any]:
    """Return an answer's members, with the metadata that botocore adds; raises CallError for an error's."""
    checksum = fields.get("x-amz-crc32")
    if checksum is not None and checksum != str(zlib.crc32(content)):
        raise ConnectionResetError("the answer's checksum is wrong")
    try:
        members = json.loads(content or b"{}", object_hook=_binary)
    except ValueError:
        members = None
    if not isinstance(members, dict):  # of something on the way
        members = {}
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": fields, "RetryAttempts": 0}
    if status < 300:
        return {**members, "ResponseMetadata": metadata}
    code = str(members.pop("__type", status)).rpartition("#")[2]
    message = members.pop("message", None) or members.pop("Message", "")
    raise CallError({**members, "Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata})


def _passes(error: CallError) -> bool:
    """Whether the same call may succeed soon."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= _SERVER_ERROR or error.response["Error"]["Code"] in _PASSING


_PASSING = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TransactionInProgressException",
    }
)


def _base64(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no value of DynamoDB's")


def _binary(members: dict[str, Any]) -> dict[str, Any]:
    """Decode a binary value: {"B": text} is never an attribute named B, whose value would be an object."""
    if len(members) == 1:
        if isinstance(text := members.get("B"), str):
            return {"B": b64decode(text)}
        if isinstance(texts := members.get("BS"), list):
            return {"BS": [b64decode(text) for text in texts]}
    return members


def _has_ended(connection: HTTPConnection) -> bool:
    """Whether an idle connection was closed by the server; a byte that nobody asked for ends it, too."""
    watched = poll()
    watched.register(connection.sock, POLLIN)
    return bool(watched.poll(0))


def _bundle() -> str | None:
    """Return the certificates that botocore trusts: certifi's, else its own; None: the system's."""
    for package in ("certifi", "botocore"):
        found = find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            file = Path(folder, "cacert.pem")
            if file.exists():
                return str(file)
    return None
