"""How each kind of limit is charged in one conditional write, and read from an item.

A limit's state is kept in attributes of its subject's item. The form of the write depends on the state that the item is
assumed to hold. The write's conditions hold only if the charge would be admitted, so a wrong assumption does no harm:
the write fails and returns the item, from which the next write is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any, NamedTuple

from tidegate.decision import Rule, State
from tidegate.limits.concurrency import Slots
from tidegate.limits.leaky_bucket import Drain
from tidegate.limits.quota import Period
from tidegate.limits.sliding_window import TICKS, Window
from tidegate.limits.sliding_window_counter import WindowCounter
from tidegate.limits.token_bucket import Bucket, start_of_debt
from tidegate.messages import Charge
from tidegate.stores.dynamodb.client import Item

UNBOUNDED = 10**30
# No counter is as low. A write for a charge that other counts than the item's refuse is made to fail, to get the item.
_NEVER = -1
# In digits. More of them, in microseconds, would be thousands of years.
_LONGEST_NUMBER = 17


class Clause(NamedTuple):
    """One charge's part of an UpdateItem.

    Attributes:
        sets, removes: the parts of the update expression.
        conditions: the parts of the condition expression, which must all hold.
        names, values: the meaning of the placeholders.
    """

    sets: tuple[str, ...]
    conditions: tuple[str, ...]
    names: Mapping[str, str]
    values: Mapping[str, dict[str, Any]]
    removes: tuple[str, ...] = ()


class Asked(NamedTuple):
    """A charge to be written.

    Attributes:
        i: its number within the write.
        charge: the charge.
        state: the limit's state that the item is assumed to hold.
        now_us: the time by which the limit is kept; microseconds.
    """

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
            return tuple(f"{charge.key}.{part}" for part in "tno")
        case WindowCounter():
            return tuple(f"{charge.key}.{part}" for part in "wcp")
        case Period():
            return tuple(f"{charge.key}.{part}" for part in "sue")
        case Slots():
            return (f"{charge.key}.h",)
        case Drain():
            return (f"{charge.key}.d",)
        case _:
            return (charge.key,)


def state_of(item: Item, charge: Charge) -> State | None:
    """Read a charge's state from an item; None if the item holds none, or one that can't be read."""
    names = attributes(charge)
    if isinstance(charge.rule, Period) and names[2] not in item:  # the previous release writes no end
        names = names[:2]
    if any(name not in item for name in names):
        return None
    if isinstance(charge.rule, Slots):
        held = item[names[0]].get("M")
        ends = None if held is None else {holder: whole(end) for holder, end in held.items()}
        if ends is None or None in ends.values():
            return None
        return tuple((holder, end) for holder, end in ends.items() if end is not None)
    values = [item[name] for name in names]
    if isinstance(charge.rule, Window):  # its older parts are one text
        values[2:] = [{"N": text} for text in str(values[2].get("S", "none")).split(":") if text]
    numbers = [whole(attribute) for attribute in values]
    return None if None in numbers else tuple(number for number in numbers if number is not None)


def whole(attribute: Mapping[str, Any]) -> int | None:
    """Read a number in the form that `number` writes; None for anything else."""
    text = attribute.get("N")
    if type(text) is not str or not (text.isascii() and text.isdecimal()) or len(text) > _LONGEST_NUMBER:
        return None
    return int(text)


def _values(charge: Charge, state: State) -> tuple[dict[str, Any], ...]:
    """Return the values of a state's attributes. A sliding window's older parts are one text."""
    if not isinstance(charge.rule, Window):
        return tuple(number(value) for value in state)
    last, units, *older = state or (0, 0)
    return number(last), number(units), {"S": ":".join(map(str, older))}


@singledispatch
def clause(rule: Rule, asked: Asked) -> Clause:
    """Return the write that charges, under conditions that hold only if the charge is admitted."""
    raise TypeError(f"DynamoDB can't keep {rule!r} (limit {asked.charge.key})")


@clause.register
def _(rule: Bucket, asked: Asked) -> Clause:
    cost_us = asked.charge.cost * rule.interval_us
    return _tat_clause(asked, cost_us, latest_us=asked.now_us + rule.depth_us - cost_us)


@clause.register
def _(rule: Drain, asked: Asked) -> Clause:
    latest_us = asked.now_us + rule.latest_us(asked.charge.cost)
    return _tat_clause(asked, asked.charge.cost * rule.interval_us, latest_us)


def _tat_clause(asked: Asked, cost_us: int, latest_us: int) -> Clause:
    """Move a TAT in the future on, if it is no later than `latest_us`; let one in the past start from now."""
    i, base = asked.i, start_of_debt(None, asked.now_us, asked.charge.min_deficit_us)
    names = {f"#k{i}": attributes(asked.charge)[0]}
    values = {f":base{i}": number(base)}
    hopeless = base > latest_us  # the form for a TAT in the future fails then, and returns the item
    if hopeless or (asked.state[0] if asked.state else 0) > base:
        values |= {f":cost{i}": number(cost_us), f":latest{i}": number(latest_us)}
        return Clause((f"#k{i} = #k{i} + :cost{i}",), (f"#k{i} > :base{i} AND #k{i} <= :latest{i}",), names, values)
    values[f":tat{i}"] = number(base + cost_us)
    return Clause((f"#k{i} = :tat{i}",), (f"(attribute_not_exists(#k{i}) OR #k{i} <= :base{i})",), names, values)


@clause.register
def _(rule: Window, asked: Asked) -> Clause:
    """Add to the latest part; its last charge's time only moves forward, so the two forms can't fail in turn."""
    i, charge, key, state = asked.i, asked.charge, asked.charge.key, asked.state
    seen, decision = rule.seen(asked.now_us, state, charge.known_counts), charge.decide(state, asked.now_us)
    tick = decision.kept[0] if decision.kept else 0
    counts_on = bool(state) and seen == state and tick // TICKS == seen[0] // TICKS
    if decision.allowed and not counts_on:
        return _replacing_clause(asked, decision.kept)
    latest = rule.quota - sum(seen[3::2]) - charge.cost if counts_on else _NEVER
    if decision.allowed and not charge.cost:  # an overdrawn window admits it, too
        latest = UNBOUNDED
    before, older = state[0] if state else tick, _values(charge, state or ())[2]
    names = {f"#{part}{i}": f"{key}.{part}" for part in "tno"}
    values = {
        f":cost{i}": number(charge.cost),
        f":latest{i}": number(latest),
        f":older{i}": older,
        f":tick{i}": number(tick),
    }
    sets, moves = [f"#n{i} = #n{i} + :cost{i}"], tick > before
    if moves:
        sets.append(f"#t{i} = :tick{i}")
        values[f":bound{i}"] = number(before // TICKS * TICKS)
    else:
        values[f":bound{i}"] = number(before // TICKS * TICKS + TICKS - 1)
    low, high = (f":bound{i}", f":tick{i}") if moves else (f":tick{i}", f":bound{i}")
    conditions = (f"#n{i} <= :latest{i}", f"#o{i} = :older{i}", f"#t{i} BETWEEN {low} AND {high}")
    return Clause(tuple(sets), conditions, names, values)


@clause.register
def _(rule: WindowCounter, asked: Asked) -> Clause:
    charge, now = asked.charge, asked.now_us
    counts = rule.counts(asked.state, now, charge.known)
    decision = charge.decide(asked.state, now)
    counts_on = asked.state == counts.as_state()
    if decision.allowed and not counts_on:
        return _replacing_clause(asked, decision.kept)
    room = rule.room(counts, max(0, now // 1000 - counts.index * rule.window_ms))
    same = {"w": counts.index, "p": counts.previous}
    return _counter_clause(asked, "c", same, latest=counts.current + room - charge.cost if counts_on else _NEVER)


@clause.register
def _(rule: Period, asked: Asked) -> Clause:
    charge = asked.charge
    running = rule.running(asked.now_us, asked.state, charge.known_counts)
    decision = charge.decide(asked.state, asked.now_us)
    counts_on = asked.state == running
    if decision.allowed and not counts_on:
        return _replacing_clause(asked, decision.kept)
    same = {"s": running.start_us, "e": running.end_us}
    # What costs nothing is admitted by a quota that is overdrawn, too.
    latest = rule.quota - charge.cost if charge.cost else UNBOUNDED
    return _counter_clause(asked, "u", same, latest=latest if counts_on else _NEVER)


def _counter_clause(asked: Asked, counter: str, same: Mapping[str, int], latest: int) -> Clause:
    """Add to the counter, if it is at most `latest` and the attributes in `same` have the values given."""
    i, key = asked.i, asked.charge.key
    names = {f"#{counter}{i}": f"{key}.{counter}", **{f"#{part}{i}": f"{key}.{part}" for part in same}}
    values = {f":cost{i}": number(asked.charge.cost), f":latest{i}": number(latest)}
    values |= {f":{part}{i}": number(value) for part, value in same.items()}
    conditions = (f"#{counter}{i} <= :latest{i}", *(f"#{part}{i} = :{part}{i}" for part in same))
    return Clause((f"#{counter}{i} = #{counter}{i} + :cost{i}",), conditions, names, values)


def _replacing_clause(asked: Asked, kept: State) -> Clause:
    """Write the whole state, if the item holds the state that was assumed."""
    i, parts = asked.i, attributes(asked.charge)
    names = {f"#a{i}_{n}": part for n, part in enumerate(parts)}
    values = {f":a{i}_{n}": value for n, value in enumerate(_values(asked.charge, kept))}
    sets = tuple(f"#a{i}_{n} = :a{i}_{n}" for n in range(len(parts)))
    if asked.state is None:
        return Clause(sets, (f"attribute_not_exists(#a{i}_0)",), names, values)
    was = _values(asked.charge, asked.state)
    values |= {f":was{i}_{n}": value for n, value in enumerate(was)}
    return Clause(sets, tuple(f"#a{i}_{n} = :was{i}_{n}" for n in range(len(was))), names, values)


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
    """Return the write that corrects a charge, if the item holds the state that is assumed."""
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
    """Return the arguments of one UpdateItem that makes all of these writes or none."""
    names = {"#expires": expires}
    values = {":expires": number(expires_s)}
    for one in clauses:
        names |= one.names
        values |= one.values
    # The item may hold another route's longer-lived limit too, so its expiry never moves to an earlier time.
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
