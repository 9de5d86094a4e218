"""httpx's clients with these transports, in one line: `tidegate.client.Client(base_url=…)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import httpx

from tidegate.client.call import Call, current
from tidegate.client.conduct import Conduct
from tidegate.client.errors import DeadlineExceededError
from tidegate.client.hosts import Hosts
from tidegate.client.origin import is_elsewhere
from tidegate.client.response_body import GRACE_S
from tidegate.client.transport import AsyncRetryingTransport, RetryingTransport


class Client(httpx.Client):
    """`httpx.Client` whose calls have a deadline, are retried within a budget, and wait for their quotas.

    Keep one for as long as possible, as it holds the budget, throttles and quotas of each host.

    Args:
        conduct: the options.
        hosts: the state of each host, to share it between clients; it has the options, too.
        mounts: httpx's; these transports get the same treatment.
        options: httpx's.
    """

    def __init__(
        self,
        *,
        conduct: Conduct | None = None,
        hosts: Hosts | None = None,
        mounts: Mapping[str, httpx.BaseTransport | None] | None = None,
        **options: Any,
    ) -> None:
        self._hosts = hosts or Hosts(conduct)
        mounted = {key: each and self._retrying(each) for key, each in (mounts or {}).items()}
        super().__init__(mounts=mounted, **options)

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> httpx.Response:
        """Send a request, as httpx does; all requests that follow from it are one call, with one deadline."""
        path = _path_below(self.base_url, request.url)
        call = Call(request, self._hosts, path=path, reads_whole=not stream, within=_outer(self._hosts))
        token = current.set(call)
        try:
            return super().send(request, stream=stream, **options)
        finally:
            current.reset(token)

    # httpx makes its transports in these two, also those for proxies that the environment names; it has no public
    # place for it, so the extra `client` holds httpx below its next minor version.
    def _init_transport(self, *arguments: Any, **options: Any) -> httpx.BaseTransport:
        return self._retrying(super()._init_transport(*arguments, **options))

    def _init_proxy_transport(self, *arguments: Any, **options: Any) -> httpx.BaseTransport:
        return self._retrying(super()._init_proxy_transport(*arguments, **options))

    def _retrying(self, transport: httpx.BaseTransport) -> httpx.BaseTransport:
        if isinstance(transport, RetryingTransport):
            return transport
        return RetryingTransport(transport=transport, hosts=self._hosts)


class AsyncClient(httpx.AsyncClient):
    """The same for `httpx.AsyncClient`.

    Args:
        conduct: the options.
        hosts: the state of each host, to share it between clients; it has the options, too.
        mounts: httpx's; these transports get the same treatment.
        options: httpx's.
    """

    def __init__(
        self,
        *,
        conduct: Conduct | None = None,
        hosts: Hosts | None = None,
        mounts: Mapping[str, httpx.AsyncBaseTransport | None] | None = None,
        **options: Any,
    ) -> None:
        self._hosts = hosts or Hosts(conduct)
        mounted = {key: each and self._retrying(each) for key, each in (mounts or {}).items()}
        super().__init__(mounts=mounted, **options)

    async def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> httpx.Response:
        """Send a request, as httpx does; all requests that follow from it are one call, with one deadline.

        Slow authentication and hooks of the application are cancelled at the deadline, too.
        """
        path = _path_below(self.base_url, request.url)
        call = Call(request, self._hosts, path=path, reads_whole=not stream, within=_outer(self._hosts))
        token = current.set(call)
        try:
            with anyio.move_on_after(max(0.0, call.left_s) + 2 * GRACE_S):
                return await super().send(request, stream=stream, **options)
        finally:
            current.reset(token)
        if call.sent:
            raise httpx.ReadTimeout("The deadline was over before the answer", request=request)
        raise DeadlineExceededError("The deadline was over before the request was sent", request)

    def _init_transport(self, *arguments: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return self._retrying(super()._init_transport(*arguments, **options))

    def _init_proxy_transport(self, *arguments: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return self._retrying(super()._init_proxy_transport(*arguments, **options))

    def _retrying(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        if isinstance(transport, AsyncRetryingTransport):
            return transport
        return AsyncRetryingTransport(transport=transport, hosts=self._hosts)


def _outer(hosts: Hosts) -> Call | None:
    """Return the call within which another one is made, as by a hook that asks for a token."""
    outer = current.get()
    return outer if outer is not None and outer.hosts is hosts else None


def _path_below(base: httpx.URL, url: httpx.URL) -> str | None:
    """Return a URL's path relative to `base_url`; None if it isn't below it."""
    if is_elsewhere(url, base) or not url.path.startswith(base.path):
        return None
    return "/" + url.path[len(base.path) :]
