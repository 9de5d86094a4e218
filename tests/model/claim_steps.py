"""One idempotency key: attempts that claim it, run and settle, over stores that lose messages, memory and time.

Every call of an attempt's to a store is a step of its own, and between two steps anything else may happen: another
attempt's call, a tick of the time, a crash. What a store does with a call, and what an attempt makes of the reply, is
the library's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from tests.model.claim_programs import Asker, Heard, Holding, Program, Route, sure
from tests.model.claim_stores import Frozen, attribute, carried_out, run_in_redis, wall_ms
from tests.model.redis_scripts import Kept
from tests.model.resumption import Call, Ended, Reply, resumed

# What may become of a call beside being answered: it never arrives; it is carried out, and nobody hears of it; it
# arrives when nobody waits for it any more; it is answered, and arrives once more.
FAULTS = ("lost", "unheard", "late", "again")


class Running(NamedTuple):
    """A program, when it began, and what it was told so far."""

    program: Program
    since: int
    replies: tuple[Reply, ...] = ()


class Attempt(NamedTuple):
    """One attempt.

    Attributes:
        asker: whose it is.
        phase: `idle`, `calls`, `holds`, `runs`, `ended` or `crashed`.
        came: the tick at which its request came.
        calls: the program that asks stores, while it does.
        holding: its claim, once it is held.
        began: the tick at which its handler began; None: it hasn't.
        kept: whether it has renewed its claim or recorded a point, once.
        answer: what its handler has answered.
        heard: what its client has heard.
    """

    asker: Asker
    phase: str = "idle"
    came: int = 0
    calls: Running | None = None
    holding: Holding | None = None
    began: int | None = None
    kept: bool = False
    answer: Heard | None = None
    heard: Heard | None = None

    @property
    def is_over(self) -> bool:
        return self.phase in {"ended", "crashed"}


class State(NamedTuple):
    """Everything there is.

    Attributes:
        now: the true time; ticks of five seconds.
        item, kept: what DynamoDB and Redis have of the key.
        attempts: all of them, in the order in which they come.
        effect: the attempt whose fenced effect was made; None: none was.
        faults: how many more may happen.
        late: calls that are on their way, and for which nobody waits.
    """

    now: int
    item: Frozen | None
    kept: Kept | None
    attempts: tuple[Attempt, ...]
    effect: int | None = None
    faults: int = 0
    late: tuple[Running, ...] = ()

    def but(self, attempt: Attempt, **others: Any) -> State:
        """Return the state with one attempt gone on."""
        at = attempt.asker.number
        return self._replace(attempts=(*self.attempts[:at], attempt, *self.attempts[at + 1 :]), **others)


Step = tuple[str, State]


class ClaimSteps:
    """What may happen.

    Args:
        route: how the route takes its claims.
        ticks: how long it goes on.
        fenced: whether the handler's effect is made on the condition that its claim is still its own, and once.
        declines: whether a handler may say that nothing was done, and to come again.
        faults: which of `FAULTS` may happen to a call.
        crashes: whether an environment may end without a word.
        forgets: whether Redis may come back empty.
    """

    def __init__(
        self,
        route: Route,
        ticks: int,
        *,
        fenced: bool = False,
        declines: bool = False,
        faults: tuple[str, ...] = FAULTS,
        crashes: bool = True,
        forgets: bool = True,
    ) -> None:
        self.route, self.ticks, self.fenced, self.declines = route, ticks, fenced, declines
        self._faults, self._crashes, self._forgets = faults, crashes, forgets

    def __call__(self, state: State) -> Iterator[Step]:
        if state.now < self.ticks:
            yield from self._time(state)
        yield from self._stores_alone(state)
        idle = next((attempt for attempt in state.attempts if attempt.phase == "idle"), None)
        if idle is not None:
            yield f"{_name(idle)} comes", self._begins(state, idle._replace(came=state.now), "ask")
        for attempt in state.attempts:
            yield from self._of(state, attempt)

    def _time(self, state: State) -> Iterator[Step]:
        """A call's whole time is less than a tick (`CLAIM_WITHIN_S`): one that is frozen in its midst is a fault."""
        frozen = any(attempt.calls is not None for attempt in state.attempts)
        if not frozen:
            yield "five seconds pass", state._replace(now=state.now + 1)
        elif state.faults:
            yield "five seconds pass, calls frozen", state._replace(now=state.now + 1, faults=state.faults - 1)

    def _stores_alone(self, state: State) -> Iterator[Step]:
        """What happens in the stores without anybody's asking."""
        expires = attribute(state.item, "expires_at")
        if expires is not None and int(expires) * 1000 < wall_ms(state.now):
            yield "DynamoDB deletes what has expired", state._replace(item=None)
        if state.kept is not None and state.faults and self._forgets:
            yield "Redis comes back empty", state._replace(kept=None, faults=state.faults - 1)
        for at, running in enumerate(state.late):
            others = (*state.late[:at], *state.late[at + 1 :])
            _, after = self.carried_out(state, running)
            yield f"a late call of {_who(running)} arrives", after._replace(late=others)

    def _of(self, state: State, attempt: Attempt) -> Iterator[Step]:
        name = _name(attempt)
        if attempt.is_over or attempt.phase == "idle":
            return
        if self._crashes and state.faults:
            gone = attempt._replace(phase="crashed", calls=None, holding=None)
            yield f"{name} crashes", state.but(gone, faults=state.faults - 1)
        if attempt.calls is not None:
            yield from self._calls(state, attempt, attempt.calls)
        elif attempt.phase == "holds":
            yield self._begins_to_run(state, attempt)
        else:
            yield from self._runs(state, attempt)

    def _calls(self, state: State, attempt: Attempt, running: Running) -> Iterator[Step]:
        call, name = call_of(running), f"{_name(attempt)}'s call"
        reply, after = self.carried_out(state, running)
        words = f"{name} to {call.store} ({_words(call)})"
        yield words, self._told(after, attempt, running, Reply(state.now, reply))
        if not state.faults:
            return
        unheard = Reply(state.now, lost=True)
        for fault in self._faults:
            if fault == "lost":
                into, told = state, unheard
            elif fault == "unheard":
                into, told = after, unheard
            elif fault == "late":
                into, told = state._replace(late=_with(state, running)), unheard
            else:
                into, told = after._replace(late=_with(state, running)), Reply(state.now, reply)
            if fault == "unheard" and after == state:
                continue  # it is the same as if it were lost
            yield f"{words}: {fault}", self._told(into._replace(faults=state.faults - 1), attempt, running, told)

    def carried_out(self, state: State, running: Running) -> tuple[Any, State]:
        """Return what a store replies to a program's call, and the state after it."""
        if call_of(running).store == "redis":
            reply, kept = _in_redis(running, state.kept, state.now)
            return reply, state._replace(kept=kept)
        written, item = _in_dynamodb(running, state.item)
        return written, state._replace(item=item)

    def _told(self, state: State, attempt: Attempt, running: Running, reply: Reply) -> State:
        going_on = running._replace(replies=(*running.replies, reply))
        return self._gone_on(state, attempt, going_on)

    def _begins(self, state: State, attempt: Attempt, does: str) -> State:
        program = Program(does, attempt.asker, self.route, attempt.came, attempt.holding, attempt.answer)
        return self._gone_on(state, attempt, Running(program, state.now))

    def _gone_on(self, state: State, attempt: Attempt, running: Running) -> State:
        """Let an attempt's program go on to its next call, or to its end."""
        found = gone_on(running)
        if isinstance(found, Call):
            return state.but(attempt._replace(phase="calls", calls=running))
        result = found.result
        if isinstance(result, Heard):
            return state.but(attempt._replace(phase="ended", calls=None, holding=None, heard=result))
        phase = "holds" if attempt.began is None else "runs"
        return state.but(attempt._replace(phase=phase, calls=None, holding=result))

    def _begins_to_run(self, state: State, attempt: Attempt) -> Step:
        if self.may_begin(state, attempt):
            return f"{_name(attempt)}'s handler begins", state.but(attempt._replace(phase="runs", began=state.now))
        gone = attempt._replace(phase="ended", holding=None, heard=Heard(409, b"claim-superseded"))
        return f"{_name(attempt)} was frozen for too long", state.but(gone)

    def may_begin(self, state: State, attempt: Attempt) -> bool:
        """Whether the library lets the handler begin (`Pipeline.run`)."""
        program = Program("", attempt.asker, self.route, attempt.came, attempt.holding)
        return _sure(program, state.now)

    def _runs(self, state: State, attempt: Attempt) -> Iterator[Step]:
        name = _name(attempt)
        if not attempt.kept and (self.route.on_server or self.route.recovers):
            does = "record" if self.route.recovers else "renew"
            yield f"{name} does {does}", self._begins(state, attempt._replace(kept=True), does)
        if self.declines and attempt.answer is None:
            declining = attempt._replace(answer=Heard(503, b"come again"))
            yield f"{name}'s handler does nothing", self._begins(state, declining, "settle")
        yield self._effect(state, attempt)

    def _effect(self, state: State, attempt: Attempt) -> Step:
        name, effect = f"{_name(attempt)}'s handler has its effect", state.effect
        if self.fenced and effect is None:
            if attribute(state.item, "attempt_id") != attempt.asker.attempt_id:
                lost = attempt._replace(phase="ended", holding=None, heard=Heard(409, b"claim-superseded"))
                return f"{name}: no, its claim is lost", state.but(lost)
            effect = attempt.asker.number
        by = effect if self.fenced else attempt.asker.number
        body = f"{attempt.asker.payload} for {attempt.asker.credential}, order {by}".encode()
        answered = attempt._replace(answer=Heard(201, body))
        return name, self._begins(state._replace(effect=effect), answered, "settle")


@lru_cache(maxsize=500_000)
def gone_on(running: Running) -> Call | Ended:
    """Return the call that a program waits for, or its result."""
    return resumed(running.program, running.since, running.replies)


def call_of(running: Running) -> Call:
    """Return the call that a program waits for."""
    found = gone_on(running)
    assert isinstance(found, Call)
    return found


@lru_cache(maxsize=500_000)
def _in_redis(running: Running, kept: Kept | None, now: int) -> tuple[Any, Kept | None]:
    return run_in_redis(call_of(running).asks, kept, now)


@lru_cache(maxsize=500_000)
def _in_dynamodb(running: Running, item: Frozen | None) -> tuple[Any, Frozen | None]:
    return carried_out(call_of(running).asks, item)


@lru_cache(maxsize=100_000)
def _sure(program: Program, now: int) -> bool:
    return sure(program, now)


def _with(state: State, running: Running) -> tuple[Running, ...]:
    return tuple(sorted((*state.late, running), key=repr))


def _name(attempt: Attempt) -> str:
    return f"attempt {attempt.asker.number}"


def _who(running: Running) -> str:
    return f"attempt {running.program.asker.number}"


def _words(call: Call) -> str:
    return str(call.asks.operation) if call.store == "dynamodb" else "script"
