"""A route's policy: frozen, typed, in human units, and written beside the handler."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args

from tidegate.enforcement import enforced
from tidegate.errors import ConfigurationError
from tidegate.limits.limit import Limit
from tidegate.messages import OnOutage
from tidegate.units import duration_us

if TYPE_CHECKING:
    from tidegate.cache.policy import Cache
    from tidegate.idempotency.unknown_outcome import Find


Priority = Literal["critical", "normal", "sheddable"]
Claims = Literal["dynamodb", "redis"]
Overflow = Literal["queue"]
OnUnknown = Literal["retry", "hold"]
Idempotent = Literal[True, False, "optional"]
DEFAULT_MAX_BODY_BYTES = 6 * 1024 * 1024
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_ClaimsOrNot = Literal["dynamodb", "redis", None]  # noqa: PYI061  its words are read
_WORDS = (
    ("priority", Priority),
    ("on_outage", OnOutage),
    ("claims", _ClaimsOrNot),
    ("idempotent", Idempotent),
    ("on_unknown", OnUnknown),
)
_ATTRIBUTE = "__tidegate_policy__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy of a route.

    Attributes:
        limits: the limits. All of them must admit a request; none is charged unless all do. Empty: unlimited.
        idempotent: whether an `Idempotency-Key` is required, and the handler has one effect per key; `optional`: a
            request without a key runs as on any other route.
        priority: the route's criticality, by which it is shed when capacity is short.
        on_outage: the decision if no store answers: `share` (this environment enforces its fair share of each limit),
            `allow` (no limits) or `reject` (503).
        claims: the store that holds claims: `dynamodb`, which survives the loss of Redis, or `redis`, which is quicker
            and may run a handler twice if Redis loses the claim. None: DynamoDB where there is a table, else Redis. If
            memory is the only store, it holds them, whatever this says.
        lifetime: for how long a key's response is kept and replayed; the environment's setting if None.
        max_body_bytes: the largest request body that an idempotent route reads; the response to a larger one is 413.
        keep_5xx: whether a response of 500 and above is kept and replayed like any other. If not, it releases the key
            and a retry runs again, which is only right if a failed handler has no effect.
        on_unknown: what a retry does when the attempt before it fell silent and its claim's hold is over. `retry`: it
            runs the handler. `hold`: it doesn't until `find` or somebody (`Gate.decide`) says what became of it.
        find: looks up what became of such an attempt; a function, `async` or not, of the request and an
            `UnknownAttempt`. It returns the response that the attempt would have given, `NOT_RUN` if it had no effect,
            or None if that isn't known. Only with `on_unknown="hold"`.
        cache: whether responses are kept and given again, and for how long; GET and HEAD only.
        coalesce: whether GETs of one caller for the same thing, at the same time in one environment, run once. It works
            without a cache, too.
        overflow: the treatment of a request that a limit refuses. None: it is refused. `queue`: it waits in a queue,
            gets a 202, and runs later, once. Such a route takes an `Idempotency-Key` even if it doesn't require one.
        queue_keeps: request fields that are kept with a queued request beside the standard ones; and query parameters,
            written with a question mark in front, that are no credentials although their names suggest it.
        replayable: whether a release may send this route's GETs once more, to both versions and without any fields, if
            clients send too few to compare them. Set it only if the target has no personal data and is public.
    """

    limits: Sequence[Limit] = ()
    idempotent: bool | Literal["optional"] = False
    priority: Priority = "normal"
    on_outage: OnOutage = "share"
    claims: Claims | None = None
    lifetime: str | None = None
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    keep_5xx: bool = True
    on_unknown: OnUnknown = "retry"
    find: Find | None = None
    cache: Cache | None = None
    coalesce: bool = False
    overflow: Overflow | None = None
    queue_keeps: tuple[str, ...] = ()
    replayable: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", tuple(self.limits))
        for name, allowed in _WORDS:
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
        self._check_queue_keeps()
        self._check_on_unknown()
        if self.takes_claims and (self.cache is not None or self.coalesce):
            raise ConfigurationError(
                "policy(cache=…)",
                "an idempotent or queued route has effects, which no copy has; write it for GET and HEAD",
            )

    def _check_overflow(self) -> None:
        wrong = None
        if self.overflow not in get_args(Overflow):
            wrong = f"{self.overflow!r} is unknown; write 'queue', or nothing"
        elif self.claims == "redis":
            wrong = "a queued request runs under a claim in DynamoDB; leave claims='redis' away"
        elif not self.limits:
            wrong = "nothing overflows without a limit; write limits=[…], too"
        if wrong:
            raise ConfigurationError("policy(overflow=…)", wrong)

    def _check_queue_keeps(self) -> None:
        if not self.queue_keeps:
            return
        from tidegate.overflow.kept_fields import wrong_name  # noqa: PLC0415  only for queued requests

        object.__setattr__(self, "queue_keeps", _names(self.queue_keeps))
        wrong = next((wrong for name in self.queue_keeps if (wrong := wrong_name(name))), None)
        if self.overflow is None:
            wrong = "nothing is queued without overflow='queue'; write it, too, or leave this away"
        if wrong:
            raise ConfigurationError("policy(queue_keeps=…)", wrong)

    def _check_on_unknown(self) -> None:
        wrong = None
        if self.on_unknown == "retry":
            if self.find is not None:
                raise ConfigurationError("policy(find=…)", "without on_unknown='hold' nothing is looked up; write it")
        elif not self.idempotent:
            wrong = "nothing is claimed without idempotent=True; write it, too"
        elif self.overflow is not None:
            wrong = "a queued request runs again when its worker dies; write on_unknown='hold' or overflow='queue'"
        elif self.claims == "redis":
            wrong = "Redis may lose a claim, and what isn't known of it; leave claims='redis' away"
        elif self.find is not None and not callable(self.find):
            raise ConfigurationError("policy(find=…)", f"{self.find!r} can't be called; write a function")
        if wrong:
            raise ConfigurationError("policy(on_unknown=…)", wrong)

    @property
    def takes_claims(self) -> bool:
        """Whether a request may run under a claim, so that its body is read ahead and its handler marks its start."""
        return bool(self.idempotent) or self.overflow is not None

    @property
    def asks_nothing(self) -> bool:
        """Whether a request without a key needs no store before it runs."""
        return not self.limits and self.idempotent is not True and self.cache is None

    @property
    def captures(self) -> bool:
        """Whether responses are captured whole, to be given to other requests, too."""
        return self.cache is not None or self.coalesce


def policy(  # noqa: PLR0913  one keyword for each thing that a route may ask for
    *,
    limits: Iterable[Limit] = (),
    idempotent: bool | Literal["optional"] = False,
    priority: Priority = "normal",
    on_outage: OnOutage = "share",
    claims: Claims | None = None,
    lifetime: str | None = None,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    keep_5xx: bool = True,
    on_unknown: OnUnknown = "retry",
    find: Find | None = None,
    cache: Cache | None = None,
    coalesce: bool = False,
    overflow: Overflow | None = None,
    queue_keeps: Iterable[str] = (),
    replayable: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Declare a route's policy; write it under the route's decorator.

    The arguments are `Policy`'s. An endpoint without this decorator gets the default policy of `protect`.

    Raises:
        ConfigurationError: an argument is wrong; the error names it, and what to write.
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
        on_unknown=on_unknown,
        find=find,
        cache=cache,
        coalesce=coalesce,
        overflow=overflow,
        queue_keeps=_names(queue_keeps),
        replayable=replayable,
    )

    def declare(endpoint: Endpoint) -> Endpoint:
        wrapped = enforced(endpoint, declared)
        # On the bare endpoint, too, so that a policy written above the route's decorator isn't overlooked.
        with suppress(AttributeError):  # a bound method takes none
            setattr(endpoint, _ATTRIBUTE, declared)
        setattr(wrapped, _ATTRIBUTE, declared)
        return wrapped

    return declare


def _names(named: Iterable[str]) -> tuple[str, ...]:
    if isinstance(named, str):  # its letters would be taken for names
        raise ConfigurationError("policy(queue_keeps=…)", f"it is a list of names; write [{named!r}]")
    return tuple(named)


def policy_of(endpoint: object) -> Policy | None:
    """Return the policy that was declared on an endpoint, a function or a callable object; None if there is none."""
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    found = getattr(endpoint, _ATTRIBUTE, None)
    if found is None and not inspect.isroutine(endpoint) and not inspect.isclass(endpoint):
        found = getattr(getattr(endpoint, "__call__", None), _ATTRIBUTE, None)  # noqa: B004  an instance's, not a test
    return cast("Policy | None", found)
