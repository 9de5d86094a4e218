"""httpx's clients with these transports, in one line: `tidegate.client.Client(base_url=…)`."""

from __future__ import annotations

from typing import Any

import httpx

from tidegate.client.conduct import Conduct
from tidegate.client.hosts import Hosts
from tidegate.client.transport import AsyncRetryingTransport, RetryingTransport


class Client(httpx.Client):
    """`httpx.Client` whose requests have a deadline, are retried within a budget, and wait for their quotas.

    Keep one for as long as possible: budget, throttling and quotas are what it remembers of each host.

    Args:
        conduct: the options.
        hosts: what is known of hosts, to share it between clients; it has the options, too.
        options: httpx's.
    """

    def __init__(self, *, conduct: Conduct | None = None, hosts: Hosts | None = None, **options: Any) -> None:
        self._hosts = hosts or Hosts(conduct)
        super().__init__(**options)

    # httpx makes its transports in these two, also those for proxies that the environment names; it has no public
    # place for it, so the extra `client` holds httpx below its next minor version.
    def _init_transport(self, *arguments: Any, **options: Any) -> httpx.BaseTransport:
        return RetryingTransport(transport=super()._init_transport(*arguments, **options), hosts=self._hosts)

    def _init_proxy_transport(self, *arguments: Any, **options: Any) -> httpx.BaseTransport:
        return RetryingTransport(transport=super()._init_proxy_transport(*arguments, **options), hosts=self._hosts)


class AsyncClient(httpx.AsyncClient):
    """The same of `httpx.AsyncClient`.

    Args:
        conduct: the options.
        hosts: what is known of hosts, to share it between clients; it has the options, too.
        options: httpx's.
    """

    def __init__(self, *, conduct: Conduct | None = None, hosts: Hosts | None = None, **options: Any) -> None:
        self._hosts = hosts or Hosts(conduct)
        super().__init__(**options)

    def _init_transport(self, *arguments: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return AsyncRetryingTransport(transport=super()._init_transport(*arguments, **options), hosts=self._hosts)

    def _init_proxy_transport(self, *arguments: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return AsyncRetryingTransport(transport=super()._init_proxy_transport(*arguments, **options), hosts=self._hosts)
