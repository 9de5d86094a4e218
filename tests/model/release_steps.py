"""One function's releases: CloudFormation asks, cancels and goes back; machines run, stall and die; people intervene.

The states between a machine's tasks are those of the definition that is deployed. Each call of a task's to AWS is a
step of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from tests.model.release_ledger import frozen, update
from tests.model.release_programs import FUNCTION, STEPS, TICK_S, Item, LostError, Task, death, event
from tests.model.resumption import Call, Ended, Reply, resumed
from tests.simulation.release_states import TaskError, _at, _chosen, _parameters, _placed
from tidegate_cdk.release_machine import definition

STABLE, CANARY, OLD = "2", "3", "1"


class Failed(NamedTuple):
    """A task raised this."""

    name: str
    cause: str


class Running(NamedTuple):
    """A task, when it began, and what it was told so far."""

    task: Task
    since: int
    replies: tuple[Reply, ...] = ()


class Machine(NamedTuple):
    """One execution.

    Attributes:
        id: the request's that it belongs to.
        input: what it was started with.
        at: the state of its definition; "" when it has ended, "died" when it has died.
        document: what its states hand on; JSON.
        tries: how often its state's task was tried again.
        running: the task's code; None: the machine makes the call by itself.
        back: how many of `Unshift`'s aliases are done.
    """

    id: str
    input: str
    at: str
    document: str
    tries: int = 0
    running: Running | None = None


class State(NamedTuple):
    """Everything there is.

    Attributes:
        now: ticks of twenty minutes.
        ledger, alias: as they are kept; the alias is its version, and the weights of others.
        schema: 1, and 2 when it is expanded; `contracted` when the old form is gone.
        machines: all that were started.
        requests: CloudFormation's events and EventBridge's that a function works on.
        stack: what the stack does: `goes on`, `waits` (for its release), `goes back`, `new` or `old` at its end.
        answers: what CloudFormation has heard, for which request.
        bad: whether the judge or a question has found the canary bad.
        faults, people: how many more may happen, and intervene.
        by_hand: whether a person has put the old version in force.
    """

    now: int = 0
    ledger: Item | None = None
    alias: tuple[str, tuple[tuple[str, float], ...]] = (STABLE, ())
    schema: int = 1
    contracted: bool = False
    machines: tuple[Machine, ...] = ()
    requests: tuple[Running, ...] = ()
    stack: str = "begins"
    answers: tuple[tuple[str, str], ...] = ()
    bad: bool = False
    faults: int = 0
    people: int = 0
    by_hand: str = ""


Step = tuple[str, State]


class ReleaseSteps:
    """What may happen.

    Args:
        ticks: how often a machine may stall for twenty minutes.
        cancels: in which of the machine's states somebody may cancel: "Shift", or "any" once it has the lock.
        surprises: whether versions may be ill, migrations fail, and the judge say anything but pass.
        loses: whether calls may be lost.
        expands: whether the release has a migration that expands the schema.
        shares: the canary's of the plan, step by step, in percent.
    """

    def __init__(
        self,
        *,
        ticks: int = 1,
        cancels: str = "",
        surprises: bool = True,
        loses: bool = True,
        expands: bool = True,
        shares: Sequence[float] = STEPS,
    ) -> None:
        self._ticks, self._cancels, self._surprises, self._loses = ticks, cancels, surprises, loses
        self._expands = expands
        self._forward = event("forward", CANARY, STABLE, shares)
        self._back = event("back", STABLE, CANARY, shares)
        self._back_again = event("back once more", STABLE, CANARY, shares)

    def __call__(self, state: State) -> Iterator[Step]:
        yield from self._stack(state)
        yield from self._people(state)
        if state.faults and state.now < self._ticks:
            yield "twenty minutes pass", state._replace(now=state.now + 1, faults=state.faults - 1)
        for at, running in enumerate(state.requests):
            yield from self._request(state, at, running)
        for at, machine in enumerate(state.machines):
            if machine.at not in {"", "died"}:
                yield from self._machine(state, at, machine)

    def _stack(self, state: State) -> Iterator[Step]:
        if state.stack == "begins":
            yield "CloudFormation asks for the release", _asked(state._replace(stack="waits"), self._forward)
        elif state.stack == "goes back":
            yield from self._way_back(state)
        elif state.stack == "waits":
            heard = dict(state.answers[::-1]).get("forward")
            if heard == "SUCCESS":
                yield "CloudFormation puts the alias", state._replace(stack="new", alias=(CANARY, ()))
            elif heard == "FAILED":
                yield "CloudFormation goes back", _asked(state._replace(stack="goes back"), self._back)
            elif self._may_cancel(state):
                yield "somebody cancels the update", _asked(state._replace(stack="goes back"), self._back)

    def _way_back(self, state: State) -> Iterator[Step]:
        heard = {status for request, status in state.answers if request.startswith("back")}
        if "SUCCESS" in heard:
            yield "CloudFormation is back", state._replace(stack="old")
        elif heard and not state.requests:
            yield "somebody continues the way back", _asked(state, self._back_again)

    def _may_cancel(self, state: State) -> bool:
        if dict(state.ledger or ()).get("doing") != "running":
            return False
        return self._cancels == "any" or any(machine.at == self._cancels for machine in state.machines)

    def _people(self, state: State) -> Iterator[Step]:
        ledger = dict(state.ledger or ())
        if state.by_hand == "entered":
            yield "the old version is put in force by hand", state._replace(alias=(OLD, ()), by_hand="moved")
        if not state.people or ledger.get("doing") != "running":
            return
        fewer = state._replace(people=state.people - 1)
        yield "somebody aborts", fewer._replace(ledger=frozen({**ledger, "abort": True}))
        if not state.by_hand:
            entry = {"release": "by-hand", "versions": {FUNCTION: OLD}, "before": {}, "ended": "by-hand"}
            entry |= {"at": 1_800_000_000 + state.now * TICK_S, "reason": "tidegate rollback"}
            entered = {"history": (*ledger.get("history", ()), json.dumps(entry)), "abort": True}
            entered["in_force"] = json.dumps({FUNCTION: OLD})
            yield "somebody goes back by hand", fewer._replace(ledger=frozen({**ledger, **entered}), by_hand="entered")

    def _request(self, state: State, at: int, running: Running) -> Iterator[Step]:
        without = (*state.requests[:at], *state.requests[at + 1 :])
        for words, after, going_on in self._calls(state, running):
            found = gone_on(going_on)
            if isinstance(found, Call):
                yield words, after._replace(requests=(*without, going_on))
            elif isinstance(found, Ended):
                yield words, after._replace(requests=without)
            else:  # the queue of asynchronous invocations delivers it again
                again = Running(running.task, state.now)
                yield f"{words}; it fails, and comes again", after._replace(requests=(*without, again))

    def _machine(self, state: State, at: int, machine: Machine) -> Iterator[Step]:
        if state.faults:
            fewer = state._replace(faults=state.faults - 1)
            died = _but(fewer, at, machine._replace(at="died", running=None))
            yield f"the machine dies in {machine.at}", _asked(died, death(machine.input), "death")
        if machine.running is None:
            for words, after, error in self._own_call(state, machine):
                gone = passed(machine, "{}", after.now) if error is None else caught(machine, error, after.now)
                yield words, _but(after, at, gone)
            return
        for words, after, going_on in self._calls(state, machine.running):
            for outcome, gone in _gone(machine, going_on, after.now):
                yield f"{machine.at}: {words}{outcome}", _but(after, at, gone)

    def _calls(self, state: State, running: Running) -> Iterator[tuple[str, State, Running]]:
        """Return what may become of a task's call: its words, the state after it, and the task."""
        call = call_of(running)
        for told, after in self.answered(state, call):
            words = f"{call.store} {_words(call)}{told if isinstance(told, str) and call.store != 'runner' else ''}"
            yield words, after, running._replace(replies=(*running.replies, Reply(state.now, told)))
            if state.faults and self._loses:
                fewer = after._replace(faults=state.faults - 1)
                lost = running._replace(replies=(*running.replies, Reply(state.now, lost=True)))
                if after != state and call.store not in {"version", "judge"}:
                    yield f"{words}: unheard", fewer, lost
        if state.faults and self._loses:
            lost = running._replace(replies=(*running.replies, Reply(state.now, lost=True)))
            yield f"{call.store} {_words(call)}: lost", state._replace(faults=state.faults - 1), lost

    def answered(self, state: State, call: Call) -> Iterator[tuple[Any, State]]:
        """Return what may be answered to a call, and the state after it."""
        match call.store, call.asks:
            case "version", version:
                yield from self._found(state, "version", CANARY if version == CANARY else "")
            case "judge", _:
                yield from self._found(state, "judge", CANARY)
            case "runner", action:
                yield from self._migrated(state, action)
            case _:
                yield _by_aws(state, call)

    def _found(self, state: State, by: str, version: str) -> Iterator[tuple[str, State]]:
        """Return what a question or the judge may find; a canary that was found bad is bad still."""
        well, bad = (("well",), "ill") if by == "version" else (("not yet", "pass"), "fail")
        if not (state.bad and version):
            yield from ((outcome, state) for outcome in (well if self._surprises else well[-1:]))
        if version and self._surprises:
            yield bad, state._replace(bad=True)

    def _migrated(self, state: State, action: str) -> Iterator[tuple[str, State]]:
        """Let the runner expand, take back or contract; an expansion may fail."""
        schema = {"expand": 2 if self._expands else state.schema, "down": 1}.get(action, state.schema)
        # What was expanded before this release isn't this release's to take back.
        after = state._replace(schema=schema, contracted=state.contracted or action == "contract")
        yield json.dumps({"status": "done", "schema": schema, "before": 1}), after
        if action == "expand" and self._surprises:
            yield json.dumps({"status": "failed", "reason": "as the model has it", "schema": 1}), state

    def _own_call(self, state: State, machine: Machine) -> Iterator[tuple[str, State, Failed | None]]:
        """Return what may become of the machine's own call, which no function makes."""
        document, fewer = json.loads(machine.document), state._replace(faults=state.faults - 1)
        if machine.at == "Fence":
            asked = _parameters(definition_()["States"]["Fence"]["Parameters"], document)
            values = {name: _plain(value) for name, value in asked["ExpressionAttributeValues"].items()}
            told, item = update({**asked, "ExpressionAttributeValues": values}, state.ledger)
            fenced = None if told[0] else Failed("DynamoDb.ConditionalCheckFailedException", "")
            after = state._replace(ledger=item)
        else:
            fenced, after = None, state
            for one in document["back"]:
                after = after._replace(alias=(one["FunctionVersion"], ()))
        yield f"{machine.at}{'' if fenced is None else ': refused'}", after, fenced
        if state.faults and self._loses:
            yield f"{machine.at}: lost", fewer, Failed("Lost", "")


@cache
def definition_() -> Mapping[str, Any]:
    """Return the machine as it is deployed."""
    return definition("rollout", "judge")


def entered(machine: Machine, name: str, now: int) -> Machine:
    """Let a machine go on from a state to the next task of its own or a function's, or to its end."""
    found = definition_()["States"]
    document = json.loads(machine.document)
    while found[name]["Type"] in {"Choice", "Wait", "Pass"}:
        state = found[name]
        if state["Type"] == "Choice":
            try:
                name = _chosen(state, document)
            except KeyError:  # States.Runtime: nothing catches it
                return machine._replace(at="died", running=None)
            continue
        if state["Type"] == "Pass":
            document = _placed(state, document, {"at": "now"})
        name = state["Next"]
    text = json.dumps(document, sort_keys=True)
    if found[name]["Type"] == "Succeed":
        return Machine(machine.id, machine.input, "", "")
    action = found[name].get("Parameters", {}).get("action")
    running = None if action is None else Running(Task(action, text), now)
    return Machine(machine.id, machine.input, name, text, 0, running)


def passed(machine: Machine, result: str, now: int) -> Machine:
    """Let a machine go on with its task's result."""
    state = definition_()["States"][machine.at]
    document = _placed(state, json.loads(machine.document), json.loads(result))
    return entered(machine._replace(document=json.dumps(document, sort_keys=True)), state["Next"], now)


def caught(machine: Machine, error: Failed, now: int) -> Machine:
    """Let a machine go on where its task's error is caught."""
    state = definition_()["States"][machine.at]
    [caught_by] = state["Catch"]
    document = _placed(caught_by, json.loads(machine.document), {"Error": error.name, "Cause": error.cause})
    return entered(machine._replace(document=json.dumps(document, sort_keys=True)), caught_by["Next"], now)


def _by_aws(state: State, call: Call) -> tuple[Any, State]:
    """Return what AWS answers to a call, which is certain, and the state after it."""
    match call.store, call.asks:
        case "ledger", ("update", asked):
            told, item = update(asked, state.ledger)
            return told, state._replace(ledger=item)
        case "alias", ("put", version, weights):
            return None, state._replace(alias=(version, weights))
        case "machine", (name, text):
            if any(machine.id == name for machine in state.machines):
                return False, state
            begun = entered(Machine(name, text, "", text), definition_()["StartAt"], state.now)
            return True, state._replace(machines=(*state.machines, begun))
        case "cloudformation", answer:
            return None, state if answer in state.answers else state._replace(answers=(*state.answers, answer))
        case store, _:
            return (state.ledger if store == "ledger" else state.alias), state


def _but(state: State, at: int, gone: Machine) -> State:
    return state._replace(machines=(*state.machines[:at], gone, *state.machines[at + 1 :]))


def _gone(machine: Machine, going_on: Running, now: int) -> Iterator[tuple[str, Machine]]:
    """Return how a machine may go on when a call of its task's has ended."""
    found = gone_on(going_on)
    if isinstance(found, Call):
        yield "", machine._replace(running=going_on)
    elif isinstance(found, Ended):
        yield "", passed(machine, found.result, now)
    else:
        final = "Catch" not in definition_()["States"][machine.at]  # it is tried for as long as the machine runs
        if not machine.tries or final:
            yield f"; {found.name}, tried again", machine._replace(running=Running(going_on.task, now), tries=1)
        if not final:
            yield f"; {found.name}", caught(machine, found, now)


@lru_cache(maxsize=300_000)
def gone_on(running: Running) -> Call | Ended | Failed:
    """Return the call that a task waits for, its result, or its error."""
    try:
        return resumed(running.task, running.since, running.replies, LostError)
    except Exception as error:  # noqa: BLE001  whatever a task raises, its machine is told
        return Failed(type(error).__name__, json.dumps({"errorMessage": str(error)}))


def call_of(running: Running) -> Call:
    """Return the call that a task waits for."""
    found = gone_on(running)
    assert isinstance(found, Call), found
    return found


def _asked(state: State, text: str, kind: str = "request") -> State:
    return state._replace(requests=(*state.requests, Running(Task(kind, text), state.now)))


def _plain(value: Mapping[str, str]) -> int | str:
    return int(value["N"]) if "N" in value else value["S"]


def _words(call: Call) -> str:
    asks = call.asks
    if call.store == "ledger":
        return "read" if asks == ("read",) else "write"
    return " ".join(map(str, asks)) if isinstance(asks, tuple) and call.store != "machine" else ""


__all__ = ["CANARY", "OLD", "STABLE", "ReleaseSteps", "State", "TaskError", "_at"]
