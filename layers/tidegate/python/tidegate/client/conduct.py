"""How a client conducts itself: what it retries, how long it waits, what it passes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tidegate.client.backoff import Backoff
from tidegate.criticality import ORDER, Criticality
from tidegate.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """The options of a client.

    Attributes:
        deadline_s: seconds that a request may take with all its retries and pauses; `extensions={"deadline_s": 2}`
            says it for one request, and an inherited deadline that is nearer counts.
        attempts: how often a request is sent at most.
        backoff: the pauses between.
        budget_ratio: retries per request in the long run, to each host.
        budget_tokens: retries that may be saved up.
        throttle_k: requests that are sent per request that is accepted (SRE's K); None: no client-side throttling.
        keys_for: which POSTs and PATCHs get an `Idempotency-Key` if they bear none, and are retried then: all
            (True), none (False), or those to the paths that one of the patterns (`/v1/orders`, `/v1/*`) matches.
        criticality: how dear this client's requests are; None: as dear as what is being served, else not said.
        passes_on: whether requests say their deadline and criticality; switch it off for somebody else's servers.

    Raises:
        ConfigurationError: an option can't be used; it names it.
    """

    deadline_s: float = 30.0
    attempts: int = 4
    backoff: Backoff = field(default_factory=Backoff)
    budget_ratio: float = 0.1
    budget_tokens: int = 5
    throttle_k: float | None = 2.0
    keys_for: bool | tuple[str, ...] = False
    criticality: Criticality | None = None
    passes_on: bool = True

    def __post_init__(self) -> None:
        self._check("deadline_s", self.deadline_s > 0, "above 0")
        self._check("attempts", self.attempts >= 1, "1 or more")
        self._check("budget_ratio", 0 <= self.budget_ratio <= 1, "0 to 1")
        self._check("budget_tokens", self.budget_tokens >= 1, "1 or more, else nothing is ever retried")
        self._check("throttle_k", self.throttle_k is None or self.throttle_k > 1, "above 1, or None")
        self._check("criticality", self.criticality in (None, *ORDER), f"one of {ORDER}, or None")
        self._check("keys_for", isinstance(self.keys_for, bool | tuple), "True, False or a tuple of path patterns")

    def _check(self, name: str, holds: Any, rule: str) -> None:
        if not holds:
            raise ConfigurationError(f"Conduct({name}=…)", f"{getattr(self, name)!r} can't be used; write {rule}")
