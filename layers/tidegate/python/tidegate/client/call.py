"""One call of the application, with all its attempts, redirects and authentication.

httpx makes a new request for every redirect and sends the same one again for authentication, and a transport sees each
by itself. So a request carries its call in an extension, which httpx copies to the requests that it derives.
"""

from __future__ import annotations

from contextvars import ContextVar

import httpx

from tidegate import deadline
from tidegate.client.conduct import is_time
from tidegate.client.hosts import Hosts
from tidegate.client.idempotency import KEY_FIELD, is_key, new_key, wants_key
from tidegate.client.origin import is_elsewhere, leave_home
from tidegate.client.request_body import RequestBody
from tidegate.errors import ConfigurationError

DEADLINE = "deadline_s"  # the extension with a single call's deadline
_CALL = "tidegate_call"
_KEY = KEY_FIELD.decode()
# After these statuses httpx may go on in the same call: with a redirect, or with credentials.
_GOES_ON = frozenset({301, 302, 303, 307, 308, 401, 407})


class Call:
    """One call; used by one thread or task.

    Args:
        request: its first request. It gets the call, and an idempotency key if the options ask for one.
        hosts: the options and the clock.
        path: the request's path below the client's base URL; None: unknown, or not below it.
        reads_whole: whether the response's whole body is read before the application sees it.
        within: a call that this one is part of, whose deadline bounds it, too.
        is_bare: whether a transport began it, which doesn't see where a call ends.
    """

    def __init__(
        self,
        request: httpx.Request,
        hosts: Hosts,
        *,
        path: str | None = None,
        reads_whole: bool = False,
        within: Call | None = None,
        is_bare: bool = False,
    ) -> None:
        self.hosts = hosts
        self.until_s = _until_s(request, hosts, within)
        self.origin = request.url
        self.body = RequestBody(request.stream)
        self.reads_whole = reads_whole
        self.sent = 0
        self.is_over = False
        self.is_elsewhere = False
        self.is_done = False
        self.key: str | None = None
        self._is_bare = is_bare
        self._put_key(request, path)
        request.extensions[_CALL] = self

    @classmethod
    def of(cls, request: httpx.Request, hosts: Hosts) -> Call:
        """Return the call that a transport's request belongs to, which may be a new one.

        Args:
            request: the request to send.
            hosts: the transport's.
        """
        known = request.extensions.get(_CALL)
        if isinstance(known, Call) and known.hosts is hosts and not known.is_over:
            known.go_on(request)
            return known
        outer = current.get()
        if outer is None or outer.hosts is not hosts:
            return cls(request, hosts, is_bare=True)
        return cls(request, hosts, reads_whole=outer.reads_whole, within=outer, is_bare=True)

    @property
    def left_s(self) -> float:
        """The seconds until its deadline; 0 or less once it has passed."""
        return self.until_s - self.hosts.clock.monotonic()

    def go_on(self, request: httpx.Request) -> None:
        """Take a further request of the same call; to another origin, without the fields for the first alone."""
        if is_elsewhere(request.url, self.origin):
            self.is_elsewhere = True
            leave_home(request.headers)
        if self.body.stream is not request.stream:
            self.body = RequestBody(request.stream)
        elif self.sent:
            self.body.rewind()

    def ended(self, status: int | None) -> None:
        """Note how one of its requests ended: with a response's status, or None for a fault."""
        self.is_over = self._is_bare and status not in _GOES_ON
        self.is_done = status is not None and 200 <= status < 300

    def _put_key(self, request: httpx.Request, path: str | None) -> None:
        """Give each intent one key: a request object that is sent again after a success is a new intent."""
        earlier = request.extensions.get(_CALL)
        if isinstance(earlier, Call) and earlier.key and earlier.key == request.headers.get(_KEY):
            if earlier.is_done:
                del request.headers[_KEY]
            else:
                self.key = earlier.key
        if not is_key(request.headers.get(_KEY)) and self._wants_key(request, path):
            request.headers[_KEY] = self.key = new_key()

    def _wants_key(self, request: httpx.Request, path: str | None) -> bool:
        wanted = self.hosts.conduct.keys_for
        return any(wants_key(request.method, each, wanted) for each in (request.url.path, path) if each is not None)


# The call under way, for requests that an authentication makes itself, and that don't carry the extension.
current: ContextVar[Call | None] = ContextVar("tidegate_call", default=None)


def _until_s(request: httpx.Request, hosts: Hosts, within: Call | None) -> float:
    own_s = request.extensions.get(DEADLINE, hosts.conduct.deadline_s)
    if not is_time(own_s):
        raise ConfigurationError(f'extensions["{DEADLINE}"]', f"{own_s!r} is no deadline; write a number of seconds")
    until_s = hosts.clock.monotonic() + float(own_s)
    inherited_s = deadline.current.get()
    if inherited_s is not None:
        until_s = min(until_s, inherited_s)
    return until_s if within is None else min(until_s, within.until_s)
