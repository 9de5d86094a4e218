"""The transports: they send, sleep, and do as the exchange says."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable

import anyio
import httpx

from tidegate.client.conduct import Conduct
from tidegate.client.exchange import Exchange
from tidegate.client.hosts import Hosts

# The answer's extension that says how often its request was sent.
ATTEMPTS = "attempts"

# An answer that isn't used is read to its end if it is short, so that its connection can be used again: a storm of
# new connections is dearer to a server than the requests on them.
_SHORT_BYTES = 64 * 1024


class RetryingTransport(httpx.BaseTransport):
    """Sends with deadline, retries, budget, quotas and throttling: `httpx.Client(transport=RetryingTransport())`.

    Args:
        conduct: the options.
        transport: what sends; httpx's own if None.
        hosts: what is known of hosts, to share it between transports; it has the options, too.
        sleep: how to wait; seconds.
    """

    def __init__(
        self,
        conduct: Conduct | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        hosts: Hosts | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = transport or httpx.HTTPTransport()
        self._hosts = hosts or Hosts(conduct)
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request until its answer is worth returning; the answer's extension `attempts` says how often.

        Raises:
            NotSentError: nothing was sent; its kinds say why.
            httpx.TransportError: the last attempt's.
        """
        exchange = Exchange(request, self._hosts)
        while True:
            while wait_s := exchange.reserve_s():
                self._sleep(wait_s)
            try:
                response = self._transport.handle_request(exchange.attempt())
            except httpx.TransportError as fault:
                pause_s = exchange.failed(fault)
                if pause_s is None:
                    raise
            else:
                pause_s = exchange.answered(response)
                if pause_s is None:
                    response.extensions[ATTEMPTS] = exchange.attempts
                    return response
                _discard(response)
            self._sleep(pause_s)

    def close(self) -> None:
        """Close what sends."""
        self._transport.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """The same for `httpx.AsyncClient`.

    Args:
        conduct: the options.
        transport: what sends; httpx's own if None.
        hosts: what is known of hosts, to share it between transports; it has the options, too.
        sleep: how to wait; seconds.
    """

    def __init__(
        self,
        conduct: Conduct | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        hosts: Hosts | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._transport = transport or httpx.AsyncHTTPTransport()
        self._hosts = hosts or Hosts(conduct)
        self._sleep = sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request until its answer is worth returning; the answer's extension `attempts` says how often.

        Raises:
            NotSentError: nothing was sent; its kinds say why.
            httpx.TransportError: the last attempt's.
        """
        exchange = Exchange(request, self._hosts)
        while True:
            while wait_s := exchange.reserve_s():
                await self._sleep(wait_s)
            try:
                response = await self._transport.handle_async_request(exchange.attempt())
            except httpx.TransportError as fault:
                pause_s = exchange.failed(fault)
                if pause_s is None:
                    raise
            else:
                pause_s = exchange.answered(response)
                if pause_s is None:
                    response.extensions[ATTEMPTS] = exchange.attempts
                    return response
                await _adiscard(response)
            await self._sleep(pause_s)

    async def aclose(self) -> None:
        """Close what sends."""
        await self._transport.aclose()


def _discard(response: httpx.Response) -> None:
    with contextlib.suppress(httpx.HTTPError):  # a body that breaks off is no loss
        if _is_short(response):
            response.read()
    response.close()


async def _adiscard(response: httpx.Response) -> None:
    with contextlib.suppress(httpx.HTTPError):
        if _is_short(response):
            await response.aread()
    await response.aclose()


def _is_short(response: httpx.Response) -> bool:
    length = response.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and int(length) <= _SHORT_BYTES
