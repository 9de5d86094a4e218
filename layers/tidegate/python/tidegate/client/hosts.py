"""A client's state of each host, over all its requests; shared by threads, tasks and, optionally, clients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from random import Random, SystemRandom
from threading import Lock

from tidegate.client.budget import RetryBudget
from tidegate.client.conduct import Conduct
from tidegate.client.quotas import Quotas
from tidegate.client.response_fields import Left
from tidegate.client.throttles import Throttles
from tidegate.clock import Clock, SystemClock

_MOST_HOSTS = 1024
_SPREAD = 0.1  # of a wait, because other clients may wait for the same moment
_APART_S = 0.02  # between requests of this client that wait for the same moment


class Host:
    """One host's budget, throttles and quotas; thread-safe.

    Args:
        conduct: the options.
        clock: the time.
        random: draws jitter and refusals.
    """

    def __init__(self, conduct: Conduct, clock: Clock, random: Random) -> None:
        self._conduct = conduct
        self._clock = clock
        self._random = random
        self._budget = RetryBudget(conduct.budget_ratio, conduct.budget_tokens)
        # One for each criticality, as in the SRE book, so that sheddable requests are refused first.
        self._throttles: dict[str | None, Throttles] = {}
        self._quotas = Quotas(conduct.retry_after_max_s)
        self._sent = 0
        self._lock = Lock()

    def begin(self, criticality: str | None, scope: str) -> bool:
        """Count a new request; False if it is to be refused by the client itself."""
        with self._lock:
            admitted = self._admits(criticality, scope)
            if admitted:
                self._budget.deposit()
            return admitted

    def may_retry(self, criticality: str | None, scope: str) -> bool:
        """Decide on a retry, and take it from the budget."""
        with self._lock:
            return self._admits(criticality, scope) and self._budget.withdraw()

    def reserve_s(self, scope: str) -> float:
        """Take one unit of the quota and return 0.0, or return the seconds to wait for one."""
        with self._lock:
            return self._quotas.reserve_s(scope, self._clock.monotonic())

    def wait_s(self, scope: str) -> float:
        """Return the seconds until the quota has a unit left."""
        with self._lock:
            return self._quotas.wait_s(scope, self._clock.monotonic())

    def spread_s(self, scope: str, wait_s: float) -> float:
        """Return a wait with jitter: up to a tenth longer, and after this client's others for the same moment."""
        with self._lock:
            ahead = self._quotas.line_up(scope, self._clock.monotonic() + wait_s) if wait_s else 0
        spread_s = wait_s * (1 + self._random.uniform(0, _SPREAD))
        return spread_s + ahead * self._random.uniform(0, 2 * _APART_S) if ahead else spread_s

    def send(self) -> int:
        """Return an attempt's number in the order of sending to this host."""
        with self._lock:
            self._sent += 1
            return self._sent

    def record(self, criticality: str | None, scope: str, *, accepted: bool) -> None:
        """Count the outcome of an attempt."""
        with self._lock:
            throttles = self._throttles_of(criticality)
            if throttles is not None:
                throttles.record(scope, self._clock.monotonic(), accepted=accepted)

    def learn(self, scope: str, left: Sequence[Left], silent_s: float | None, sent: int, *, accepted: bool) -> None:
        """Keep a response's quotas, or its `Retry-After`.

        Args:
            scope: the request's.
            left: the response's quotas.
            silent_s: the seconds for which the server asks for no request; None: it doesn't.
            sent: the attempt's number in the order of sending.
            accepted: whether the server accepted the request.
        """
        with self._lock:
            now_s = self._clock.monotonic()
            if accepted:
                self._quotas.accepted(scope, sent)
            if silent_s is None:
                self._quotas.learn(scope, left, now_s, sent)
            else:
                self._quotas.silence(scope, silent_s, now_s, sent)

    def _admits(self, criticality: str | None, scope: str) -> bool:
        throttles = self._throttles_of(criticality)
        return throttles is None or throttles.admits(scope, self._clock.monotonic(), self._random)

    def _throttles_of(self, criticality: str | None) -> Throttles | None:
        if self._conduct.throttle_k is None:
            return None
        return self._throttles.setdefault(criticality, Throttles(self._conduct.throttle_k))


class Hosts:
    """All hosts of a client; several transports that share one have one budget for each host.

    Of more than 1024 hosts, the least recently used are forgotten.

    Args:
        conduct: the options.
        clock: gives the time.
        random: draws pauses and refusals.
    """

    def __init__(
        self, conduct: Conduct | None = None, *, clock: Clock | None = None, random: Random | None = None
    ) -> None:
        self.conduct = conduct or Conduct()
        self.clock: Clock = clock or SystemClock()
        # The system's, because a cloned process (SnapStart, fork) must not draw the same as its siblings.
        self.random = random or SystemRandom()
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._lock = Lock()

    def host(self, origin: str) -> Host:
        """Return the state of a host.

        Args:
            origin: scheme, name and port.
        """
        with self._lock:
            known = self._hosts.get(origin)
            if known is None:
                known = self._hosts[origin] = Host(self.conduct, self.clock, self.random)
            self._hosts.move_to_end(origin)
            if len(self._hosts) > _MOST_HOSTS:
                self._hosts.popitem(last=False)
            return known
