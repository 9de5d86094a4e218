"""httpx transports, sync and async, that send as `Exchange` decides; the only I/O of the client.

A transport sees requests, not calls. The clients (`clients.py`) add what it can't see: the path below `base_url`,
whether the whole body is read, and which requests an authentication makes.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import anyio
import httpx

from tidegate.client import response_body
from tidegate.client.apart import run_apart
from tidegate.client.bounded_io import bound
from tidegate.client.conduct import Conduct
from tidegate.client.errors import NotSentError
from tidegate.client.exchange import Exchange
from tidegate.client.hosts import Hosts


class RetryingTransport(httpx.BaseTransport):
    """Sends with deadline, retries, budget, quotas and throttling: `httpx.Client(transport=RetryingTransport())`.

    The deadline bounds every read and write of `httpx.HTTPTransport`. Another transport gets the time that is left in
    each request's timeouts, and is bounded as far as it applies them.

    Args:
        conduct: the options.
        transport: sends each attempt; httpx's own if None.
        hosts: the state of each host, to share it between transports; it has the options, too.
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
        bound(self._transport)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, with retries; the response's extension `attempts` holds how often it was sent.

        Raises:
            NotSentError: nothing was sent; its subclasses name the reason.
            httpx.TransportError: the last attempt's.
        """
        exchange = Exchange(request, self._hosts)
        while True:
            try:
                while wait_s := exchange.reserve_s():
                    self._sleep(wait_s)
            except NotSentError as unsent:
                return exchange.outcome(unsent)
            resume_s = self._attempt(exchange)
            if isinstance(resume_s, httpx.Response):
                return resume_s
            self._sleep(max(0.0, resume_s - self._hosts.clock.monotonic()))

    def _attempt(self, exchange: Exchange) -> httpx.Response | float:
        """Send once; return the response, or the monotonic time of the next attempt."""
        try:
            response = self._transport.handle_request(exchange.attempt())
            try:
                pause_s = exchange.answered(response)
                if pause_s is None:
                    read = response_body.read_whole if exchange.reads_whole else response_body.bound_body
                    read(response, exchange.end)
                    return exchange.finish(response)
                resume_s = self._hosts.clock.monotonic() + pause_s
                response_body.give_up(response, exchange.end)
                exchange.keep(response)
            except BaseException:
                response.close()
                raise
        except httpx.TransportError as fault:
            pause_s = exchange.failed(fault)
            if pause_s is None:
                raise
            resume_s = self._hosts.clock.monotonic() + pause_s
        return resume_s

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._transport.__exit__(kind, error, trace)

    def close(self) -> None:
        """Close the inner transport."""
        self._transport.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """The same for `httpx.AsyncClient`; any transport is cancelled at the deadline.

    Args:
        conduct: the options.
        transport: sends each attempt; httpx's own if None.
        hosts: the state of each host, to share it between transports; it has the options, too.
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
        """Send a request, with retries; the response's extension `attempts` holds how often it was sent.

        Raises:
            NotSentError: nothing was sent; its subclasses name the reason.
            httpx.TransportError: the last attempt's.
        """
        exchange = Exchange(request, self._hosts)
        while True:
            try:
                while wait_s := exchange.reserve_s():
                    await self._sleep(wait_s)
            except NotSentError as unsent:
                return exchange.outcome(unsent)
            resume_s = await self._attempt(exchange)
            if isinstance(resume_s, httpx.Response):
                return resume_s
            await self._sleep(max(0.0, resume_s - self._hosts.clock.monotonic()))

    async def _attempt(self, exchange: Exchange) -> httpx.Response | float:
        """Send once; return the response, or the monotonic time of the next attempt."""
        try:
            response = await self._send(exchange)
            try:
                pause_s = exchange.answered(response)
                if pause_s is None:
                    if exchange.reads_whole:
                        await response_body.aread_whole(response, exchange.end)
                    else:
                        response_body.abound_body(response, exchange.end)
                    return exchange.finish(response)
                resume_s = self._hosts.clock.monotonic() + pause_s
                await response_body.agive_up(response, exchange.end)
                exchange.keep(response)
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await response.aclose()
                raise
        except httpx.TransportError as fault:
            pause_s = exchange.failed(fault)
            if pause_s is None:
                raise
            resume_s = self._hosts.clock.monotonic() + pause_s
        return resume_s

    async def _send(self, exchange: Exchange) -> httpx.Response:
        request = exchange.attempt()
        left_s = max(0.0, exchange.end.left_s) + response_body.GRACE_S
        if isinstance(self._transport, httpx.AsyncHTTPTransport):
            _check_name(request)
            with anyio.move_on_after(left_s):
                return await self._transport.handle_async_request(request)
        else:
            response = await run_apart(lambda: self._transport.handle_async_request(request), left_s)
            if response is not None:
                return response
        raise exchange.timed_out()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._transport.aclose()


def _check_name(request: httpx.Request) -> None:
    """Refuse an invalid host name, for which asyncio raises an error that isn't httpx's."""
    try:
        request.url.raw_host.decode("ascii").encode("idna")
    except UnicodeError as error:
        raise httpx.ConnectError(f"{request.url.host!r} is no host's name: {error}", request=request) from error
