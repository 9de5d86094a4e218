"""What a client knows of each host, over all its requests: shared by threads, tasks and, if one likes, clients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from random import Random, SystemRandom
from threading import Lock

from tidegate.client.budget import RetryBudget
from tidegate.client.conduct import Conduct
from tidegate.client.quotas import Quotas
from tidegate.client.rate_limit import Left
from tidegate.client.throttle import Throttle
from tidegate.clock import Clock, SystemClock


class Host:
    """One host's budget, throttles and quotas; thread-safe.

    Args:
        conduct: the options.
        clock: the time.
        random: what draws.
    """

    def __init__(self, conduct: Conduct, clock: Clock, random: Random) -> None:
        self._conduct = conduct
        self._clock = clock
        self._random = random
        self._budget = RetryBudget(conduct.budget_ratio, conduct.budget_tokens)
        # One for each criticality, as the SRE book has it: what is sheddable is refused first.
        self._throttles: dict[str | None, Throttle] = {}
        self._quotas = Quotas()
        self._lock = Lock()

    def begin(self, criticality: str | None) -> bool:
        """Count a new request in; False: it is to be refused here."""
        with self._lock:
            admitted = self._admits(criticality)
            if admitted:
                self._budget.deposit()
            return admitted

    def may_retry(self, criticality: str | None) -> bool:
        """Decide on a retry, and take it from the budget."""
        with self._lock:
            return self._admits(criticality) and self._budget.withdraw()

    def reserve_s(self, scope: str) -> float:
        """Take one of what is left and return 0.0, or the seconds to wait for it."""
        with self._lock:
            return self._quotas.reserve_s(scope, self._clock.monotonic())

    def wait_s(self, scope: str) -> float:
        """Return the seconds until there is something left."""
        with self._lock:
            return self._quotas.wait_s(scope, self._clock.monotonic())

    def record(self, criticality: str | None, *, accepted: bool) -> None:
        """Count what became of an attempt."""
        with self._lock:
            throttle = self._throttle(criticality)
            if throttle is not None:
                throttle.record(self._clock.monotonic(), accepted=accepted)

    def learn(self, scope: str, left: Sequence[Left], silent_s: float | None) -> None:
        """Keep what an answer says of its quotas, or how long it asks to be left alone."""
        with self._lock:
            if silent_s is None:
                self._quotas.learn(scope, left, self._clock.monotonic())
            else:
                self._quotas.silence(scope, silent_s, self._clock.monotonic())

    def _admits(self, criticality: str | None) -> bool:
        throttle = self._throttle(criticality)
        return throttle is None or throttle.admits(self._clock.monotonic(), self._random)

    def _throttle(self, criticality: str | None) -> Throttle | None:
        if self._conduct.throttle_k is None:
            return None
        return self._throttles.setdefault(criticality, Throttle(self._conduct.throttle_k))


class Hosts:
    """All hosts that a client talks to; give one to several transports, and they keep one budget for each host.

    Args:
        conduct: the options.
        clock: the time.
        random: what draws pauses and refusals.
    """

    def __init__(
        self, conduct: Conduct | None = None, *, clock: Clock | None = None, random: Random | None = None
    ) -> None:
        self.conduct = conduct or Conduct()
        self.clock: Clock = clock or SystemClock()
        # The system's: a frozen and cloned process (SnapStart, fork) must not draw what its siblings draw.
        self.random = random or SystemRandom()
        self._hosts: defaultdict[str, Host] = defaultdict(self._new)
        self._lock = Lock()

    def host(self, origin: str) -> Host:
        """Return what is known of a host.

        Args:
            origin: scheme, name and port.
        """
        with self._lock:
            return self._hosts[origin]

    def _new(self) -> Host:
        return Host(self.conduct, self.clock, self.random)
