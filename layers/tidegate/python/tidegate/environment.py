"""An environment's parts: those of a Lambda sandbox, which lives over many invocations, or of a server process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from tidegate.blocking import BlockingRunner
from tidegate.clock import Clock
from tidegate.failover.store import FailoverStore
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.idempotency.renewal import Renewer
from tidegate.idempotency.replay_budget import ReplayBudget
from tidegate.identity.caller import Identifier
from tidegate.lazy import Lazy
from tidegate.limits.overrides import OverridesReader
from tidegate.messages import Charge
from tidegate.settings import Settings
from tidegate.shedding.shedder import Shedder

if TYPE_CHECKING:
    from tidegate.cache.state import CacheState
    from tidegate.compose_dynamodb import DynamoComponents
    from tidegate.outcomes.counter import OutcomeCounter
    from tidegate.overflow.queue import RequestQueue
    from tidegate.telemetry import RequestLine
    from tidegate.web.uploads import Uploads


# The time for a probe if no request waits for a decision: at start, and in health checks.
PATIENCE_S = 0.5


class Environment(NamedTuple):
    """The parts that live as long as the environment.

    Attributes:
        settings: as read at start.
        clock: where the time comes from.
        stores: the failover chain that decides.
        claims: the claim store; None if only Redis is configured.
        table: DynamoDB's parts, made at first use; None if there is no table.
        decide: runs decisions, and waits for them without blocking other requests.
        call: the same for calls outside of a decision's budget: settlements, checks, the queue.
        claiming: the same for claims, each of which takes seconds if the store hangs.
        identify: finds a request's principal, unless the application does.
        overrides: limits changed at run time.
        renewer: renews the claims of handlers whose end isn't known beforehand.
        shedder: refuses requests while capacity is short.
        queue: returns the overflow queue, made at first use; None if none is configured.
        cache: the parts for cached routes, made at first use.
        outcomes: counts the outcomes of requests; None: they aren't counted.
        held: the slots that running requests hold, with the subject of each.
        uploads: bounds the bodies that are coming in; None if bodies come with their requests.
        replays: bounds the bytes of replays.
        heard: is given the line of each request that has ended, by a test (see `testing`).
    """

    settings: Settings
    clock: Clock
    stores: FailoverStore
    claims: ClaimStore | None
    table: Lazy[DynamoComponents] | None
    decide: BlockingRunner
    call: BlockingRunner
    claiming: BlockingRunner
    identify: Identifier
    overrides: OverridesReader
    renewer: Renewer
    shedder: Shedder
    queue: Callable[[], RequestQueue | None]
    cache: Lazy[CacheState]
    outcomes: OutcomeCounter | None
    held: dict[tuple[Charge, ...], str]
    uploads: Uploads | None
    replays: ReplayBudget
    heard: Callable[[RequestLine], object] | None = None
