"""What a handler may know of its own admission: `request.state.tidegate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tidegate import criticality, deadline
from tidegate.criticality import Criticality
from tidegate.errors import ConfigurationError
from tidegate.mechanisms.recovery import JsonValue, RecoveryPoints
from tidegate.question import partition_key

if TYPE_CHECKING:
    from tidegate.caching.voider import Voider


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim under which a handler of an idempotent route runs.

    A handler that writes to DynamoDB can fence its own effect: a `ConditionCheck` in its transaction on the
    item `pk` of `table`, that `attempt_id` is still this one. An attempt that outlived its claim then has none.

    Attributes:
        id: the same for every attempt with one key; what a handler derives its own ids from.
        attempt_id: this attempt's.
        table: the DynamoDB table that holds the claim when the handler starts; None if another store does.
    """

    id: str
    attempt_id: str
    table: str | None
    _lost: Event = field(default_factory=Event, repr=False, compare=False)

    @property
    def lost(self) -> bool:
        """Whether another attempt is known to have taken over: what the handler still does is done twice.

        It is known from the renewals, which go on while the handler runs, and from checkpoints; from any thread.
        """
        return self._lost.is_set()

    @property
    def pk(self) -> str:
        """The claim's partition key in `table`."""
        return partition_key(self.id)


@dataclass(slots=True)
class Admission:
    """One request's admission.

    Attributes:
        principal: who asks: `user:…`, `key:…` or `ip:…`.
        route: the route's template.
        store: who decided: `redis`, `dynamodb`, `memory`; None if nothing had to be asked.
        claim: the idempotency claim, on idempotent routes.
        organisation: to whom the principal belongs, if that is known.
        units: what `charge` has said, by limit's name; None stands for all that aren't named.
        criticality: how dear it is: the route's, or what its caller claims within what it may.
        ends: when its caller stops waiting, or Lambda ends it; seconds of `time.monotonic()`, None: nobody said.
        steps: its recovery points; `checkpoint` and `recovered` are the way to them.
        tags: by what the answer's copy is called beside what its policy says; see `tag`.
        voider: returns what `invalidate` is done by.
    """

    principal: str
    route: str
    store: str | None = None
    claim: Claim | None = None
    organisation: str | None = None
    units: dict[str | None, int] = field(default_factory=dict)
    criticality: Criticality = criticality.DEFAULT
    ends: float | None = None

    steps: RecoveryPoints | None = field(default=None, repr=False, compare=False)
    tags: list[str] = field(default_factory=list)
    voider: Callable[[], Voider] | None = field(default=None, repr=False, compare=False)

    def tag(self, *tags: str) -> None:
        """Call this answer's copy by these names, too, for `invalidate`; nothing happens where none is kept."""
        self.tags += tags

    async def invalidate(self, *tags: str) -> bool:
        """Void the copies that are called so, of all routes and callers, and what is being computed under them now.

        Nobody is given afterwards what was computed before, and whoever began to compute it can't store it.

        Args:
            tags: as `Cache(tags=…)` and `tag` have them, filled in: `product:42`.

        Returns:
            False if Redis couldn't be told. This environment's copies are void; with its next cached request it tells
            Redis. Until then others may give theirs, as long as they last.
        """
        return True if self.voider is None else await self.voider().void(tags)

    def invalidate_blocking(self, *tags: str) -> bool:
        """Do as `invalidate`, for `def` handlers: it blocks the handler's thread, and no other."""
        return True if self.voider is None else self.voider().void_blocking(tags)

    def charge(self, units: int, limit: str | None = None) -> None:
        """Say what the request turned out to cost; the difference is charged or given back when it settles.

        It costs no I/O now, and never refuses what has run: a bucket may be overdrawn by it, and refuses the next.

        Args:
            units: the whole cost, at least 0, instead of the declared one.
            limit: the name of the limit that it is meant for; all but slots if None.

        Raises:
            ValueError: the units are below 0.
        """
        if units < 0:
            raise ValueError(f"{units} units can't be charged; write 0 or more")
        self.units[limit] = units

    @property
    def left_s(self) -> float | None:
        """Seconds until nobody waits for the answer any more; None: no end is known."""
        return None if self.ends is None else max(0.0, self.ends - time.monotonic())

    def headers(self) -> dict[str, str]:
        """Return the fields for what the handler calls: how dear it is, and how long its caller still waits.

        `tidegate.client` sends them by itself; other clients are given them.
        """
        fields: dict[str, str] = {criticality.FIELD.decode(): self.criticality}
        left_s = self.left_s
        return fields if left_s is None else {**fields, deadline.FIELD.decode(): deadline.format_ms(left_s)}

    @property
    def recovered(self) -> Mapping[str, Any]:
        """The recovery points that earlier attempts with this key recorded, in order; empty at a first attempt."""
        return MappingProxyType({}) if self.steps is None else self.steps.recovered

    async def checkpoint(self, name: str, value: JsonValue = None) -> None:
        """Record a recovery point: this step is done, and whoever takes over must not do it again.

        When it returns, the point is kept under the claim, for `recovered` of the attempt that continues. Source:
        Brandur Leach, "Implementing Stripe-like Idempotency Keys in Postgres".

        Args:
            name: the step's, 1 to 64 characters; a name that is there already gets the new value.
            value: JSON; all points of a claim together may have 32 KiB.

        Raises:
            ClaimLostError: another attempt has taken over; let it pass through the handler.
            StoreUnavailableError: the point is not known to be kept.
            ConfigurationError: the route isn't idempotent.
            TypeError, ValueError: the value is no JSON, or too long.
        """
        await self._recorder().record(name, value)

    def checkpoint_blocking(self, name: str, value: JsonValue = None) -> None:
        """Do as `checkpoint`, for `def` handlers: it blocks the handler's thread, and no other."""
        self._recorder().record_blocking(name, value)

    def _recorder(self) -> RecoveryPoints:
        if self.steps is None:
            raise ConfigurationError(
                f"checkpoint on {self.route}", "there is no claim to keep it under; write policy(idempotent=True)"
            )
        return self.steps
