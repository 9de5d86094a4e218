"""The failover chain: when Redis is asked, when a request probes it, and when another store decides.

The library's own chain and breakers are set to a state, asked one question, and read again. Stores come and go, and a
probe's result may come late, when other requests have been decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from unittest.mock import patch

from tests.model.checker import Invariant
from tidegate.clock import Clock
from tidegate.errors import StoreUnavailableError
from tidegate.failover import circuit
from tidegate.failover.breaker import Breaker, BreakerState, Permission
from tidegate.failover.circuit import CircuitBreakerStore
from tidegate.failover.store import FailoverStore
from tidegate.messages import Answer, Question
from tidegate.stores.memory import MemoryStore

_TICK_S = 0.2
NAMES = ("redis", "dynamodb")


class Seen(NamedTuple):
    """A breaker as it stands.

    Attributes:
        state: closed, open or half-open.
        pause: its next pause; ticks of 0.2 s.
        left: ticks until it lets a probe through.
    """

    state: BreakerState = "closed"
    pause: int = 1
    left: int = 0


class State(NamedTuple):
    """Everything there is.

    Attributes:
        up: which stores answer.
        breakers: of both stores.
        probing: whose probe is under way, and when it comes back as what it found.
        decided: by which store the last question was decided; "" after anything else.
        asked: which stores were asked for it.
        before: the state in which it came.
    """

    up: tuple[bool, bool] = (True, True)
    breakers: tuple[Seen, Seen] = (Seen(), Seen())
    probing: tuple[tuple[int, bool], ...] = ()
    decided: str = ""
    asked: tuple[str, ...] = ()


class _Clock:
    """Time that stands still while a question is decided."""

    def wall_us(self) -> int:
        return 1_800_000_000_000_000

    def monotonic(self) -> float:
        return 1_000.0


class _Store:
    """A store that answers or doesn't, and keeps who asked it."""

    def __init__(self, name: str, up: bool, asked: list[str]) -> None:
        self.name, self._up, self._asked = name, up, asked

    def _reach(self) -> None:
        self._asked.append(self.name)
        if not self._up:
            raise StoreUnavailableError("redis", "refused")

    def admit(self, _: Question) -> Answer:
        self._reach()
        return Answer(admitted=True, limits=(), claim=None, store=self.name)

    def settle(self, _: Any) -> bool:
        raise NotImplementedError

    def probe(self, patience_s: float | None = None) -> None:
        self._reach()

    def close(self) -> None:
        """No connection to close."""


class ChainModel(NamedTuple):
    """The model of the chain."""

    name: str
    bounds: str
    invariants: Sequence[Invariant[State]]

    def begins(self) -> Iterable[State]:
        yield State()

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        still = state._replace(decided="", asked=())
        for at, name in enumerate(NAMES):
            up = tuple(not is_up if at == place else is_up for place, is_up in enumerate(state.up))
            yield f"{name} {'comes' if up[at] else 'goes'}", still._replace(up=up)
        if any(seen.left for seen in state.breakers):
            waited = tuple(seen._replace(left=max(0, seen.left - 1)) for seen in state.breakers)
            yield "0.2 s pass", still._replace(breakers=waited)
        yield "a question comes", _decided(state)
        yield from _probes(still)

    def at_rest(self, state: State) -> bool:
        """Whether Redis decides again."""
        return state.decided == "redis" and not state.probing


def _decided(state: State) -> State:
    asked: list[str] = []
    breakers = [_breaker(seen) for seen in state.breakers]
    handles = [
        CircuitBreakerStore(_Store(name, up, asked), breaker, _Clock())
        for name, up, breaker in zip(NAMES, state.up, breakers, strict=True)
    ]
    chain = FailoverStore(handles, MemoryStore(_Clock()), _Clock())
    with patch.object(circuit, "store_changed", lambda *_: None):
        answer = chain.admit(Question("caller"))
    return state._replace(breakers=tuple(map(_seen, breakers)), decided=answer.store, asked=tuple(asked))


def _probes(state: State) -> Iterator[tuple[str, State]]:
    """A probe that takes its time: others come while it is under way."""
    for at, name in enumerate(NAMES):
        breaker = _breaker(state.breakers[at])
        if breaker.state != "closed" and breaker.permission() == "probe":
            begun = _with(state, at, breaker)._replace(probing=(*state.probing, (at, state.up[at])))
            yield f"a slow probe of {name} begins", begun
    for place, (at, found) in enumerate(state.probing):
        breaker = _breaker(state.breakers[at])
        _report(breaker, "probe", well=found)
        others = (*state.probing[:place], *state.probing[place + 1 :])
        yield f"a slow probe of {NAMES[at]} ends", _with(state, at, breaker)._replace(probing=others)


def _report(breaker: Breaker, permission: Permission, *, well: bool) -> None:
    (breaker.succeeded if well else breaker.failed)(permission)


def _with(state: State, at: int, breaker: Breaker) -> State:
    return state._replace(breakers=(*state.breakers[:at], _seen(breaker), *state.breakers[at + 1 :]))


def _breaker(seen: Seen) -> Breaker:
    clock: Clock = _Clock()
    breaker = Breaker(clock, jitter=0)
    breaker._state, breaker._pause = seen.state, seen.pause * _TICK_S
    breaker._retry_at = clock.monotonic() + seen.left * _TICK_S
    return breaker


def _seen(breaker: Breaker) -> Seen:
    left = max(0, round((breaker._retry_at - _Clock().monotonic()) / _TICK_S)) if breaker.state == "open" else 0
    return Seen(breaker.state, round(breaker._pause / _TICK_S), left)


def asked_in_order(before: State | None, after: State) -> bool:
    """A store decides only if all before it failed now, or aren't asked by their breakers."""
    if before is None or not after.decided:
        return True
    earlier = NAMES[: NAMES.index(after.decided)] if after.decided in NAMES else NAMES
    return all(
        not before.up[NAMES.index(name)] or before.breakers[NAMES.index(name)].state != "closed" for name in earlier
    )


def returns_by_a_probe(before: State | None, after: State) -> bool:
    """A breaker closes by a probe that was answered."""
    if before is None:
        return True
    for at, (was, now) in enumerate(zip(before.breakers, after.breakers, strict=True)):
        if was.state != "closed" and now.state == "closed":
            asked_twice = after.asked.count(NAMES[at]) == 2  # the probe, then the question
            slow = (at, True) in before.probing and len(after.probing) < len(before.probing)
            if not (asked_twice and before.up[at]) and not slow:
                return False
    return True


def left_alone(before: State | None, after: State) -> bool:
    """Nobody waits for a store in its pause, or beside its probe."""
    if before is None or not after.decided:
        return True
    return all(
        name not in after.asked
        for at, name in enumerate(NAMES)
        if before.breakers[at].state == "half-open"
        or (before.breakers[at].state == "open" and before.breakers[at].left)
    )


def one_probe(before: State | None, after: State) -> bool:
    return len({at for at, _ in after.probing}) == len(after.probing)


def back_within_a_second(before: State | None, after: State) -> bool:
    return all(seen.left * _TICK_S <= 1.0 for seen in after.breakers)


def models(*, deep: bool = False) -> list[ChainModel]:
    """Return the model of the chain; it is small, and the same when `deep`."""
    return [
        ChainModel(
            "failover, chain and breakers",
            "2 stores that come and go, pauses of 0.2 to 1 s, one slow probe of each",
            (
                Invariant("A store decides only where those before it don't answer or aren't asked.", asked_in_order),
                Invariant("The chain returns to a store only by a probe that was answered.", returns_by_a_probe),
                Invariant("Nobody waits for a store in its pause, or beside its probe.", left_alone),
                Invariant("One request at a time probes a store.", one_probe),
                Invariant("A store's return goes unnoticed for a second at most.", back_within_a_second),
            ),
        )
    ]
