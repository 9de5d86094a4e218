"""How each kind of limit is charged in one conditional write, and read from an item.

A limit's state are attributes of its subject's item. What is written depends on what the item is believed to hold;
its conditions hold only where the charge would be admitted, so that a wrong belief can do no harm: the write fails,
hands the item back, and the next one is made from what it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any, NamedTuple

from tidegate.algorithms.concurrency import Slots
from tidegate.algorithms.decision import Rule, State
from tidegate.algorithms.leaky_bucket import Drain
from tidegate.algorithms.quota import Period
from tidegate.algorithms.sliding_window import Window
from tidegate.algorithms.token_bucket import Bucket, start_of_debt
from tidegate.question import Charge
from tidegate.stores.aws import Item


class Clause(NamedTuple):
    """One charge's part of an UpdateItem.

    Attributes:
        sets, removes: the parts of the update expression.
        conditions: what must hold of the item.
        names, values: what its placeholders stand for.
    """

    sets: tuple[str, ...]
    conditions: tuple[str, ...]
    names: Mapping[str, str]
    values: Mapping[str, dict[str, Any]]
    removes: tuple[str, ...] = ()


class Asked(NamedTuple):
    """A charge as it is put to an item: its place in the write, what the item is believed to hold, and the time."""

    i: int
    charge: Charge
    state: State | None
    now_us: int


def number(value: int) -> dict[str, Any]:
    """Return a number in DynamoDB's JSON."""
    return {"N": str(value)}


def attributes(charge: Charge) -> tuple[str, ...]:
    """Return the names of the attributes that hold a charge's state."""
    match charge.rule:
        case Window():
            return tuple(f"{charge.key}.{part}" for part in "wcp")
        case Period():
            return tuple(f"{charge.key}.{part}" for part in "su")
        case Slots():
            return (f"{charge.key}.h",)
        case Drain():
            return (f"{charge.key}.d",)
        case _:
            return (charge.key,)


def state_of(item: Item, charge: Charge) -> State | None:
    """Read a charge's state from an item; None if it holds none."""
    names = attributes(charge)
    if any(name not in item for name in names):
        return None
    if isinstance(charge.rule, Slots):
        return tuple((holder, int(end["N"])) for holder, end in item[names[0]]["M"].items())
    return tuple(int(item[name]["N"]) for name in names)


@singledispatch
def clause(rule: Rule, asked: Asked) -> Clause:
    """Return the write that charges, under conditions that hold only where the charge is admitted."""
    raise TypeError(f"DynamoDB can't keep {rule!r} (limit {asked.charge.key})")


@clause.register
def _(rule: Bucket, asked: Asked) -> Clause:
    cost_us = asked.charge.cost * rule.interval_us
    return _tat_clause(asked, cost_us, latest_us=asked.now_us + rule.depth_us - cost_us)


@clause.register
def _(rule: Drain, asked: Asked) -> Clause:
    return _tat_clause(asked, asked.charge.cost * rule.interval_us, latest_us=asked.now_us + rule.max_wait_us)


def _tat_clause(asked: Asked, cost_us: int, latest_us: int) -> Clause:
    """A TAT in the future is moved on, as far as it lies no later than `latest_us`; one in the past starts from now."""
    i, base = asked.i, start_of_debt(None, asked.now_us, asked.charge.known_debt_us)
    names = {f"#k{i}": attributes(asked.charge)[0]}
    values = {f":base{i}": number(base)}
    hopeless = base > latest_us  # in the form for a TAT in the future it fails, and hands the item back
    if hopeless or (asked.state[0] if asked.state else 0) > base:
        values |= {f":cost{i}": number(cost_us), f":latest{i}": number(latest_us)}
        return Clause((f"#k{i} = #k{i} + :cost{i}",), (f"#k{i} > :base{i} AND #k{i} <= :latest{i}",), names, values)
    values[f":tat{i}"] = number(base + cost_us)
    return Clause((f"#k{i} = :tat{i}",), (f"(attribute_not_exists(#k{i}) OR #k{i} <= :base{i})",), names, values)


@clause.register
def _(rule: Window, asked: Asked) -> Clause:
    charge, now = asked.charge, asked.now_us
    counts = rule.counts(asked.state, now, charge.known)
    decision = charge.decide(asked.state, now)
    if asked.state == counts.as_state() or not decision.allowed:
        room = rule.room(counts, max(0, now // 1000 - counts.index * rule.window_ms))
        same = {"w": counts.index, "p": counts.previous}
        return _counter_clause(asked, "c", same, latest=counts.current + room - charge.cost)
    return _replacing_clause(asked, decision.kept)


@clause.register
def _(rule: Period, asked: Asked) -> Clause:
    charge = asked.charge
    start, used = rule.used(asked.state, charge.known)
    decision = charge.decide(asked.state, asked.now_us)
    if asked.state == (start, used) or not decision.allowed:
        return _counter_clause(asked, "u", {"s": start}, latest=rule.quota - charge.cost)
    return _replacing_clause(asked, decision.kept)


def _counter_clause(asked: Asked, counter: str, same: Mapping[str, int], latest: int) -> Clause:
    """Count on, as far as the counter is no higher than `latest` and the attributes in `same` are what they were."""
    i, key = asked.i, asked.charge.key
    names = {f"#{counter}{i}": f"{key}.{counter}", **{f"#{part}{i}": f"{key}.{part}" for part in same}}
    values = {f":cost{i}": number(asked.charge.cost), f":latest{i}": number(latest)}
    values |= {f":{part}{i}": number(value) for part, value in same.items()}
    conditions = (f"#{counter}{i} <= :latest{i}", *(f"#{part}{i} = :{part}{i}" for part in same))
    return Clause((f"#{counter}{i} = #{counter}{i} + :cost{i}",), conditions, names, values)


def _replacing_clause(asked: Asked, kept: State) -> Clause:
    """Write the whole state, if the item still holds what it was believed to hold."""
    i, parts = asked.i, attributes(asked.charge)
    names = {f"#a{i}_{n}": part for n, part in enumerate(parts)}
    values = {f":a{i}_{n}": number(value) for n, value in enumerate(kept)}
    sets = tuple(f"#a{i}_{n} = :a{i}_{n}" for n in range(len(parts)))
    if asked.state is None:
        return Clause(sets, (f"attribute_not_exists(#a{i}_0)",), names, values)
    values |= {f":was{i}_{n}": number(value) for n, value in enumerate(asked.state)}
    return Clause(sets, tuple(f"#a{i}_{n} = :was{i}_{n}" for n in range(len(parts))), names, values)


@clause.register
def _(rule: Slots, asked: Asked) -> Clause:
    i, charge, end = asked.i, asked.charge, asked.now_us + rule.lease_us
    names, values = {f"#h{i}": attributes(charge)[0]}, {}
    if asked.state is None:
        values[f":h{i}"] = {"M": {charge.holder: number(end)}}
        return Clause((f"#h{i} = :h{i}",), (f"attribute_not_exists(#h{i})",), names, values)
    gone = [held for held in asked.state if held[1] <= asked.now_us and held[0] != charge.holder]
    names[f"#me{i}"] = charge.holder
    others = rule.slots - 1 + len(gone)
    values |= {f":end{i}": number(end), f":most{i}": number(others), f":own{i}": number(others + 1)}
    conditions = [f"(size(#h{i}) <= :most{i} OR (attribute_exists(#h{i}.#me{i}) AND size(#h{i}) <= :own{i}))"]
    for n, (holder, ended) in enumerate(gone):
        names[f"#g{i}_{n}"], values[f":g{i}_{n}"] = holder, number(ended)
        conditions.append(f"#h{i}.#g{i}_{n} = :g{i}_{n}")
    removes = tuple(f"#h{i}.#g{i}_{n}" for n in range(len(gone)))
    return Clause((f"#h{i}.#me{i} = :end{i}",), tuple(conditions), names, values, removes)


def correction(asked: Asked) -> Clause:
    """Return the write that puts a charge right, if the item still holds what it is believed to hold."""
    charge = asked.charge
    if isinstance(charge.rule, Slots):
        return _slot_correction(asked, charge.rule)
    return _replacing_clause(asked, charge.rule.corrected(asked.state, asked.now_us, charge.cost, charge.known))


def _slot_correction(asked: Asked, rule: Slots) -> Clause:
    i, charge = asked.i, asked.charge
    names = {f"#h{i}": attributes(charge)[0], f"#me{i}": charge.holder}
    if charge.cost < 0:
        return Clause((), (f"attribute_exists(#h{i}.#me{i})",), names, {}, (f"#h{i}.#me{i}",))
    end = number(asked.now_us + rule.lease_us)
    if asked.state is None:
        values = {f":h{i}": {"M": {charge.holder: end}}}
        return Clause((f"#h{i} = :h{i}",), (f"attribute_not_exists(#h{i})",), {f"#h{i}": names[f"#h{i}"]}, values)
    return Clause((f"#h{i}.#me{i} = :end{i}",), (f"attribute_exists(#h{i})",), names, {f":end{i}": end})


def update(clauses: Sequence[Clause], expires_s: int, expires: str = "expires_at") -> dict[str, Any]:
    """Return the arguments of one UpdateItem that does all of it or nothing."""
    names = {"#expires": expires}
    values = {":expires": number(expires_s)}
    for one in clauses:
        names |= one.names
        values |= one.values
    # Another route's longer-lived limit may lie in the same item: it is never kept for less time than it was.
    conditions = ["(attribute_not_exists(#expires) OR #expires <= :expires)"]
    conditions += [condition for one in clauses for condition in one.conditions]
    removes = [path for one in clauses for path in one.removes]
    expression = "SET " + ", ".join(["#expires = :expires", *(path for one in clauses for path in one.sets)])
    return {
        "UpdateExpression": expression + (" REMOVE " + ", ".join(removes) if removes else ""),
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
