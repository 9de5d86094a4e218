"""What a route asks for: frozen, typed, in human units, and written beside the handler."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args

from tidegate.errors import ConfigurationError
from tidegate.limits.limit import Limit
from tidegate.units import duration_us

if TYPE_CHECKING:
    from tidegate.caching.cache import Cache

Priority = Literal["critical", "normal", "sheddable"]
OnOutage = Literal["share", "allow", "reject"]
Claims = Literal["dynamodb", "redis"]
Overflow = Literal["queue"]
DEFAULT_MAX_BODY_BYTES = 6 * 1024 * 1024
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_ATTRIBUTE = "__tidegate_policy__"
_MARKS = "__tidegate_marks_execution__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that a route asks of Tidegate.

    Attributes:
        limits: all of them must admit a request; none is charged unless all do. Empty: unlimited.
        idempotent: an `Idempotency-Key` is required, and the handler has one effect per key.
        priority: how dear the route is when capacity is short.
        on_outage: what to do when no store answers: `share` (this environment enforces its fair share of each
            limit), `allow` (no limits) or `reject` (503).
        claims: which store guards the effect: `dynamodb`, which survives the loss of Redis, or `redis`, which
            is quicker and may run a handler twice if Redis loses the claim.
        lifetime: how long a key's answer is kept and replayed; the environment's setting if None.
        max_body_bytes: the largest request body that an idempotent route reads; larger is 413.
        keep_5xx: whether a handler's 500 and above binds like any answer and is replayed; if not, it gives the key
            up and a retry runs again, which is right only where a failure leaves nothing done.
        cache: whether answers are kept and given again, and for how long; GET and HEAD only.
        coalesce: whether GETs of one caller for the same thing that run in one environment at the same time are one,
            where there is no cache, too.
        overflow: what becomes of a request that a limit refuses: None, it is refused; `queue`, it waits in a queue,
            is answered 202, and runs later, once. Such a route takes an `Idempotency-Key` even if it needs none.
    """

    limits: tuple[Limit, ...] = ()
    idempotent: bool = False
    priority: Priority = "normal"
    on_outage: OnOutage = "share"
    claims: Claims = "dynamodb"
    lifetime: str | None = None
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    keep_5xx: bool = True
    cache: Cache | None = None
    coalesce: bool = False
    overflow: Overflow | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", tuple(self.limits))
        for name, allowed in (("priority", Priority), ("on_outage", OnOutage), ("claims", Claims)):
            if getattr(self, name) not in get_args(allowed):
                raise ConfigurationError(
                    f"policy({name}=…)",
                    f"{getattr(self, name)!r} is unknown; write one of {get_args(allowed)}",
                )
        labels = [limit.label for limit in self.limits]
        if len(set(labels)) != len(labels):
            raise ConfigurationError("policy(limits=…)", f"two limits are called alike ({labels}); name them apart")
        if self.lifetime is not None:
            try:
                duration_us(self.lifetime)
            except ValueError as error:
                raise ConfigurationError("policy(lifetime=…)", str(error)) from error
        if self.overflow is not None:
            self._check_overflow()
        if self.takes_claims and (self.cache is not None or self.coalesce):
            raise ConfigurationError(
                "policy(cache=…)",
                "an idempotent or queued route has effects, which no copy has; write it for GET and HEAD",
            )

    def _check_overflow(self) -> None:
        wrong = None
        if self.overflow not in get_args(Overflow):
            wrong = f"{self.overflow!r} is unknown; write 'queue', or nothing"
        elif self.claims != "dynamodb":
            wrong = "a queued request runs under a claim in DynamoDB; leave claims='redis' away"
        elif not self.limits:
            wrong = "nothing overflows without a limit; write limits=[…], too"
        if wrong:
            raise ConfigurationError("policy(overflow=…)", wrong)

    @property
    def takes_claims(self) -> bool:
        """Whether a request may run under a claim, so that its body is read ahead and its handler marks its begin."""
        return self.idempotent or self.overflow is not None

    @property
    def asks_nothing(self) -> bool:
        """Whether a request needs no store before it runs."""
        return not self.limits and not self.idempotent and self.cache is None

    @property
    def captures(self) -> bool:
        """Whether answers are taken whole, to be given to others, too."""
        return self.cache is not None or self.coalesce


def policy(  # noqa: PLR0913  one keyword for each thing that a route may ask for
    *,
    limits: Iterable[Limit] = (),
    idempotent: bool = False,
    priority: Priority = "normal",
    on_outage: OnOutage = "share",
    claims: Claims = "dynamodb",
    lifetime: str | None = None,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    keep_5xx: bool = True,
    cache: Cache | None = None,
    coalesce: bool = False,
    overflow: Overflow | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """Declare a route's policy; write it under the route's decorator.

    The arguments are `Policy`'s. An endpoint without this decorator gets the default policy of `protect`.

    Raises:
        ConfigurationError: an argument is wrong; it names the argument and what to write.
    """
    declared = Policy(
        limits=tuple(limits),
        idempotent=idempotent,
        priority=priority,
        on_outage=on_outage,
        claims=claims,
        lifetime=lifetime,
        max_body_bytes=max_body_bytes,
        keep_5xx=keep_5xx,
        cache=cache,
        coalesce=coalesce,
        overflow=overflow,
    )

    def declare(endpoint: Endpoint) -> Endpoint:
        # On the bare endpoint, too, so that a policy written above the route's decorator isn't overlooked.
        setattr(endpoint, _ATTRIBUTE, declared)
        if not declared.takes_claims:
            return endpoint
        wrapped = _marking_execution(endpoint)
        setattr(wrapped, _MARKS, True)
        return wrapped

    return declare


def policy_of(endpoint: object) -> Policy | None:
    """Return the policy that was declared on an endpoint, if any."""
    return cast("Policy | None", getattr(endpoint, _ATTRIBUTE, None))


def marks_execution(endpoint: object) -> bool:
    """Whether an endpoint says when its own code begins; a policy written above the route's decorator can't."""
    return hasattr(endpoint, _MARKS)


class Execution:
    """Whether a handler's own code has begun, which is when its outcome starts to bind (Stripe's rule)."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        self.begun = False


execution: ContextVar[Execution | None] = ContextVar("tidegate_execution", default=None)


def _mark() -> None:
    current = execution.get()
    if current is not None:
        current.begun = True


def _marking_execution(endpoint: Endpoint) -> Endpoint:
    """Wrap an endpoint so that it says when it begins; what fails before (validation) isn't kept."""
    if inspect.isasyncgenfunction(endpoint) or inspect.isgeneratorfunction(endpoint):
        raise ConfigurationError(
            f"policy(idempotent=…, overflow=…) on {endpoint.__name__}",
            "a generator has no one answer to replay; return it whole",
        )
    if inspect.iscoroutinefunction(endpoint):

        @functools.wraps(endpoint)
        async def begin_async(*args: Any, **kwargs: Any) -> Any:
            _mark()
            return await endpoint(*args, **kwargs)

        return cast("Endpoint", begin_async)

    @functools.wraps(endpoint)
    def begin(*args: Any, **kwargs: Any) -> Any:
        _mark()
        return endpoint(*args, **kwargs)

    return cast("Endpoint", begin)
