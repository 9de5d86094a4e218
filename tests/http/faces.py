"""The two faces an application shows: a function that gets events, and a server that gets requests.

Both are asked in the same way and answer with `httpx.Response`, so that one test can hold for both.
"""

import asyncio
import base64
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import parse_qsl

import httpx
from fastapi import FastAPI

from tests.harness.lambda_events import LambdaContext, rest_event
from tidegate import lambda_handler

# Both are asked at one address: copies are given where they were made.
HOST = "api.test"
_PATIENCE_S = 30.0


class Function:
    """One environment of a function: its handler on an event loop that lives over all invocations."""

    def __init__(self, app: FastAPI) -> None:
        asyncio.set_event_loop(None)  # as in a function: the handler makes it
        self.handler = lambda_handler(app)
        self._loop = asyncio.get_event_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="function")

    def begin(self, method: str, path: str, **rest: Any) -> "Future[httpx.Response]":
        """Invoke it on a thread of its own and go on; one environment runs one invocation at a time."""
        return self._thread.submit(self.request, method, path, **rest)

    def request(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        json: Any = None,
        content: bytes | str | None = None,
        context: LambdaContext | None = None,
        **event: Any,
    ) -> httpx.Response:
        """Invoke it; `key` is the id of the API key that the gateway has checked."""
        body = json if json is not None else content
        path, _, query = path.partition("?")
        made = rest_event(
            method,
            path,
            headers={"Host": HOST, **(headers or {})},
            query=dict(parse_qsl(query)),
            body=body,
            api_key_id=key,
            **event,
        )
        if "stage" not in event:
            made["requestContext"]["path"] = made["path"]  # at a domain of its own, without a base path
        return self.invoke(made, context)

    def invoke(self, event: dict[str, Any], context: LambdaContext | None = None) -> httpx.Response:
        """Invoke it with an event, on the calling thread."""
        asyncio.set_event_loop(self._loop)
        reply = self.handler(event, context or LambdaContext())
        fields = [*reply["headers"].items()]
        fields += [(name, value) for name, values in reply.get("multiValueHeaders", {}).items() for value in values]
        body = base64.b64decode(reply["body"]) if reply["isBase64Encoded"] else reply["body"].encode()
        return httpx.Response(reply["statusCode"], headers=fields, content=body)

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("POST", path, **rest)

    def close(self) -> None:
        self._thread.shutdown()
        self.handler.close()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        self._loop.close()


class Server:
    """An application on an event loop of its own thread; may be asked from many threads at once."""

    def __init__(self, app: FastAPI) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server", daemon=True)
        self._thread.start()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url=f"https://{HOST}",
            # Callers are told apart by what a test sends: none has what another was given.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    def begin(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        lines: Sequence[tuple[str, str]] = (),
        **rest: Any,
    ) -> "Future[httpx.Response]":
        """Send a request and go on; `key` is sent as the API key, `lines` are further fields, in order."""
        sent = {**({"x-api-key": key} if key else {}), **(headers or {})}
        sent_bytes = [(name.encode(), value.encode("latin-1")) for name, value in (*sent.items(), *lines)]
        asked = self._client.request(method, path, headers=sent_bytes, **rest)
        return asyncio.run_coroutine_threadsafe(asked, self._loop)

    def request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        return self.begin(method, path, **rest).result(_PATIENCE_S)

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("POST", path, **rest)

    def close(self) -> None:
        for last in (self._client.aclose(), self._loop.shutdown_default_executor()):
            asyncio.run_coroutine_threadsafe(last, self._loop).result(_PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def statuses(answers: Iterable[httpx.Response]) -> list[int]:
    """The status of each answer, in order."""
    return [answer.status_code for answer in answers]
