"""A handler's view of its own admission: `request.state.tidegate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from tidegate import criticality, deadline
from tidegate.criticality import Criticality
from tidegate.errors import ConfigurationError
from tidegate.idempotency.recovery import JsonValue, RecoveryPoints
from tidegate.limits.limit import LARGEST_QUOTA
from tidegate.messages import partition_key

if TYPE_CHECKING:
    from tidegate.cache.invalidation import Invalidator


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim under which a handler of an idempotent route runs.

    A handler that writes to DynamoDB can fence its own effect: by a `ConditionCheck` in its transaction, on the item
    `pk` of `table`, that `attempt_id` is still this one. An attempt that outlived its claim then has no effect.

    Attributes:
        id: the same for every attempt with one key, so that a handler can derive its own ids from it.
        attempt_id: this attempt's.
        table: the DynamoDB table that holds the claim when the handler starts; None if another store does.
    """

    id: str
    attempt_id: str
    table: str | None
    _lost: Event = field(default_factory=Event, repr=False, compare=False)

    @property
    def lost(self) -> bool:
        """Whether another attempt is known to have taken over, which will do the handler's further work again.

        Renewals, which go on while the handler runs, and checkpoints find that out. May be read from any thread.
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
        principal: the caller's name for limits and claims, such as `user:…`, `key:…` or `ip:…`.
        route: the route's template.
        store: the store that decided: `redis`, `dynamodb` or `memory`; None if nothing had to be asked.
        claim: the idempotency claim, on idempotent routes.
        organisation: the principal's organisation, if it is known.
        units: the units given to `charge`, by limit's name; None stands for all limits that aren't named.
        criticality: the request's criticality: the route's, or the caller's claim within its bounds.
        ends: when the caller stops waiting or Lambda ends the request; seconds of `time.monotonic()`, None: unknown.
        steps: the recovery points; handlers use `checkpoint` and `recovered`.
        tags: the copy's tags beside the policy's; handlers use `tag`.
        invalidated: whether the handler has called `invalidate`.
        voider: returns the invalidator that `invalidate` uses.
        queued: whether the request waited in the queue and is run by the worker. It then has no credentials, and the
            principal that was found when it came.
        credentials: returns the digest of the credentials in a scope that the principal doesn't stand for.
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
    invalidated: bool = field(default=False, repr=False, compare=False)
    voider: Callable[[], Invalidator] | None = field(default=None, repr=False, compare=False)
    queued: bool = False
    credentials: Callable[[Scope], str] = field(default=lambda _: "", repr=False, compare=False)

    def tag(self, *tags: str) -> None:
        """Give this response's copy further tags, for `invalidate`; without a copy this has no effect."""
        self.tags += tags

    async def invalidate(self, *tags: str) -> bool:
        """Void all copies with one of these tags, of all routes and callers, and the fills of such copies that run now.

        From then on no response that was computed before is given, and a fill that runs can't keep its response.

        Args:
            tags: as in `Cache(tags=…)` and `tag`, filled in: `product:42`.

        Returns:
            False if Redis couldn't be reached. This environment's copies are void all the same, and Redis is told with
            its next cached request. Until then other environments may give their copies.
        """
        self.invalidated = True
        return True if self.voider is None else await self.voider().void(tags)

    def invalidate_blocking(self, *tags: str) -> bool:
        """Do as `invalidate`, for `def` handlers: it blocks the handler's thread, and no other."""
        self.invalidated = True
        return True if self.voider is None else self.voider().void_blocking(tags)

    def charge(self, units: int, limit: str | None = None) -> None:
        """Set the request's real cost; the difference to the declared one is charged or given back at settlement.

        It takes no I/O now, and never refuses the request. It may overdraw a bucket, which then refuses the next one.

        Args:
            units: the whole cost, which replaces the declared one; a whole number from 0 to 10^14.
            limit: the limit's name; None: all limits except slots.

        Raises:
            ValueError: the units are no such number; the declared cost stays.
        """
        given: object = units  # its annotation isn't enough: handlers compute it
        if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= LARGEST_QUOTA:
            raise ValueError(f"{units!r} units can't be charged; write a whole number of 0 to {LARGEST_QUOTA}")
        self.units[limit] = units

    @property
    def left_s(self) -> float | None:
        """Seconds until the caller stops waiting for the response, or Lambda ends the request; None: unknown."""
        return None if self.ends is None else max(0.0, self.ends - time.monotonic())

    def headers(self) -> dict[str, str]:
        """Return the fields for the handler's own calls: the criticality, and how long the caller still waits.

        `tidegate.client` sends them by itself; with other clients, pass them.
        """
        fields: dict[str, str] = {criticality.FIELD.decode(): self.criticality}
        left_s = self.left_s
        return fields if left_s is None else {**fields, deadline.FIELD.decode(): deadline.format_ms(left_s)}

    @property
    def recovered(self) -> Mapping[str, Any]:
        """The recovery points that earlier attempts with this key recorded, in order; empty at a first attempt."""
        return MappingProxyType({}) if self.steps is None else self.steps.recovered

    async def checkpoint(self, name: str, value: JsonValue = None) -> None:
        """Record a recovery point: this step is done, and an attempt that takes over must not do it again.

        When this returns, the point is kept under the claim, and is in `recovered` of the attempt that continues.
        Source: Brandur Leach, "Implementing Stripe-like Idempotency Keys in Postgres".

        Args:
            name: the step's name, 1 to 64 characters; a point of that name is replaced.
            value: JSON; all points of a claim together may have 32 KiB.

        Raises:
            ClaimLostError: another attempt has taken over; let it pass through the handler.
            StoreUnavailableError: the point may not be kept.
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
