"""The work of the machine's states: each takes the execution's document and returns it with its results.

The document: `answer` (the address of CloudFormation's response), `order`, `id`, `former` (the order before), `asked`
(when the request came); then `token`, `began`, `stable` (versions in force by function), `fence` and `back` (with which
the machine takes all weight away by itself), `ill` (faults of `stable` before any change), `step`, `percent`,
`step_began`, and `outcome`, by which the machine chooses its next state.

Every state is safe to repeat, because a machine repeats a lost call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from functions.rollout import afterwards, looks, readiness, returning, shifting
from functions.rollout.clock import now_s
from functions.rollout.history import Entry
from functions.rollout.migration import Migration, MigrationError
from functions.rollout.order import Order
from functions.rollout.parts import Parts, parts
from functions.rollout.patience import Patience, StoppedError
from functions.rollout.smoke import Fault
from functions.rollout.watching import ABORTED, judge, top_up

Document = dict[str, Any]
State = Callable[[Document, Order, Parts], Document]

# The part of a call's time that is reserved for the work after the checks.
_MARGIN_S = 20.0


class Call(NamedTuple):
    """One call of the function: the seconds that are left, and its dependencies."""

    left_s: float
    using: Parts

    def patience(self, share: float = 1.0) -> Patience:
        """Return the bound of waits: a share of the time that is left, unless a person aborts the release."""
        return Patience.of(max(1.0, self.left_s - _MARGIN_S) * share, self._wish)

    def _wish(self) -> str | None:
        return ABORTED if self.using.ledger.aborted() else None


def run(action: str, document: Document, left_s: float = 120.0) -> Document:
    """Do one state's work, in the time that is left of the call, and return the new document."""
    order = Order.of(document["order"])
    using = parts(order)
    if action in _FORWARD and (late := overdue(document, order)):
        return {**document, "outcome": "roll_back", "reason": f"{late} It was about to {_FORWARD[action]}."}
    try:
        if action in _ASKING:
            return {**document, **_ASKING[action](document, order, Call(left_s, using))}
        return {**document, **_STATES[action](document, order, using)}
    except StoppedError as error:
        return {**document, "outcome": "roll_back", "reason": str(error)}


def overdue(document: Mapping[str, Any], order: Order) -> str | None:
    """Return a reason if a rollback has to begin now to end in time; None if there is time left."""
    if now_s() < document["began"] + order.machine_s - order.back_s:
        return None
    took = document.get("expanded_s", 0)
    long = took >= order.back_s // 5
    migrated = f" The migrations took {took} s of it: `tidegate migrate` runs them ahead of a release." if long else ""
    return f"The time of a release is over: {order.machine_s} s, of which the way back needs {order.back_s}.{migrated}"


def lock(document: Document, order: Order, using: Parts) -> Document:
    """Take the lock, or refuse the release; undo a dead machine's half-done shift, and repair aliases."""
    history = using.ledger.history()
    # At the first release there is no version to go back to, though aliases may exist (begin.py).
    splits = {} if document.get("first") else using.aliases.read_all(order.versions)
    former = document.get("former") or {}
    stable, missing = dict[str, str](), set[str]()
    for name, split in splits.items():
        known = history.in_force.get(name) or former.get(name)
        if split and split.version.isdigit():
            stable[name] = split.version
        elif known and (split or name in former):
            stable[name] = known
            missing |= set() if split else {name}
        elif split:
            return {"outcome": "refused", "reason": _unknown(name, split.version, order.alias)}
    about = {
        "targets": [target._asdict() for target in order.targets],
        "stable": stable,
        "steps": [step.percent for step in order.plan.steps],
        "phase": "locked",
        "go_on": False,
        "into_incident": order.into_incident or "",
        # New functions count their versions from 1, so the history of former ones doesn't apply.
        **({} if stable else {"history": [], "promotions": []}),
    }
    # Somebody may start an execution again, with the input of one that is over.
    if (ended := history.ended(document["id"])) is not None:
        return {"outcome": "refused", "reason": f"This release has ended already: {ended.reason}"}
    token = using.ledger.lock(document["id"], about)
    if token is None:
        reason = "Another release is under way: wait for its end, or abort it."
        using.ledger.enter(Entry(document["id"], order.versions, stable, "refused", now_s(), reason))
        return {"outcome": "refused", "reason": reason}
    if (unfit := _unfit(document, order, using, stable, missing)) is not None:
        using.ledger.end(token, "rolled-back", unfit)
        return {"outcome": "refused", "reason": unfit}
    ways_back = {"fence": using.ledger.fence(token), "back": [using.aliases.named(*of) for of in stable.items()]}
    # CloudFormation's hour runs from its request, not from when the machine got the lock.
    at = document.get("asked") or now_s()
    began = {"step": 0, "percent": 0, "outcome": "locked", "look_s": order.look_s, "began": at}
    return {"token": token, "stable": stable, **ways_back, **began}


def _unfit(document: Document, order: Order, using: Parts, stable: Mapping[str, str], missing: set[str]) -> str | None:
    """Repair the aliases under the lock; return a reason if the release can't begin after all."""
    if using.ledger.history().taken_back(order.versions, document.get("asked") or now_s()):
        return "The stack has gone back from it already."
    for name, version in stable.items():
        if using.aliases.settle_at_first(name, (version,), missing=name in missing) is None:
            return f"Version {version} of {name}, which was in force, isn't there."
    return None


def _unknown(name: str, version: str, alias: str) -> str:
    return (
        f"The alias {alias} of {name} names {version}, which is no published version, and it isn't known what was in "
        "force before: `tidegate rollback VERSION` puts a version in force."
    )


def before(document: Document, order: Order, call: Call) -> Document:
    """Check the versions in force, and the alarms, before anything changes."""
    call.using.ledger.write(document["token"], phase="asking the version in force")
    ringing = sorted(document.get("alarms", {}).get("ringing", ()))
    if ringing and not order.into_incident:
        return {"outcome": "roll_back", "untouched": True, "reason": _incident(ringing)}
    ill = readiness.ailments(order, document["stable"], call.using.smoke, call.patience())
    return {"outcome": "begin", "rang": ringing, "ill": [list(fault) for fault in ill]}


def _incident(ringing: list[str]) -> str:
    rings = f"The alarm {ringing[0]} rings" if len(ringing) == 1 else f"The alarms {', '.join(ringing)} ring"
    return (
        f"{rings} already, before anything was released. If this release is to end that: "
        "tidegate release --into-incident REASON. It is judged all the same, beside the version in force."
    )


def expand(document: Document, order: Order, using: Parts) -> Document:
    """Run the due expand migrations, as far as one call gets."""
    if order.migrate is None:
        return {"outcome": "done"}
    began = now_s()
    using.ledger.write(document["token"], phase="migrating")
    try:
        migrated = Migration(using.invoke, order.migrate).run("expand", document["id"])
    except MigrationError as error:
        return {"outcome": "roll_back", "reason": f"The migration failed. {error}"}
    using.ledger.write(document["token"], migration=json.dumps(migrated.progress))
    if using.ledger.aborted():
        return {"outcome": "roll_back", "reason": ABORTED}
    took = document.get("expanded_s", 0) + now_s() - began
    return {
        "outcome": migrated.status,
        "schema": migrated.schema,
        "schema_before": migrated.schema_before,
        "expanded_s": took,
    }


def ready(document: Document, order: Order, call: Call) -> Document:
    """Check the new versions, by their numbers, and the old ones on the expanded schema."""
    call.using.ledger.write(document["token"], phase="asking the new version")
    return {"outcome": "ready", **_asked(document, order, call, "Not ready.")}


def _asked(document: Document, order: Order, call: Call, what: str) -> Document:
    """Check both versions; without an `outcome` no fault counts against the release."""
    asking = (call.using.smoke, call.patience(0.45))
    found = readiness.found(order, document["stable"], document.get("schema"), _ill(document), asking)
    if found.faults:
        return {"outcome": "roll_back", "reason": f"{what} {' '.join(found.faults)}"}
    return {"excused": list(dict.fromkeys([*document.get("excused", ()), *found.excused]))}


def _ill(document: Mapping[str, Any]) -> list[Fault]:
    return [Fault(*fault) for fault in document.get("ill", ())]


def warm(document: Document, order: Order, call: Call) -> Document:
    """Start environments of the new versions."""
    moving = shifting.shifted(document, order)
    if not moving or not order.plan.steps:
        return {"outcome": "promote"}
    call.using.ledger.write(document["token"], phase="warming")
    silent = call.using.smoke.warm(moving, order.warm, call.patience())
    if silent:
        return {"outcome": "roll_back", "reason": f"Not ready. {' '.join(map(str, silent))}"}
    return {"outcome": "shift"}


def past(document: Document, order: Order, using: Parts) -> Document:
    """Make the first look, at the past of the old versions."""
    began = looks.first(using.counting, shifting.shifted(document, order), document["stable"], now_s())
    using.ledger.write(document["token"], looks=began)
    return {"outcome": "shift"}


def promote(document: Document, order: Order, call: Call) -> Document:
    """Give the new versions all of the traffic, and check them once more."""
    using = call.using
    if moved := shifting.settled(document, order, using):
        return moved
    checked: Document = {}
    # Without an alias no client is served yet.
    if document["stable"] and "outcome" in (checked := _asked(document, order, call, "Not well after the promotion.")):
        return checked
    # From now on it is in force by the ledger; the response to CloudFormation ends the release.
    using.ledger.write(document["token"], in_force=order.versions)
    returning.filed(using, document, order)
    promoted = "Promoted: " + ", ".join(f"{name} version {version}" for name, version in order.versions.items()) + "."
    incident = f" Into an incident: {order.into_incident}." if order.into_incident else ""
    excused = "".join(f" {sentence}" for sentence in checked.get("excused", ()))
    return {"outcome": "SUCCESS", "reason": f"{promoted}{incident}{excused}"}


# The states that need time for a rollback after them, and the words for the reason if there is none.
_FORWARD: Mapping[str, str] = {
    "before": "ask the version in force",
    "expand": "migrate",
    "ready": "ask the new version",
    "warm": "warm it",
    "past": "look at the version in force",
    "shift": "shift traffic",
    "judge": "judge it",
    "top_up": "send requests",
    "promote": "promote it",
}
_ASKING: Mapping[str, Callable[[Document, Order, Call], Document]] = {
    "before": before,
    "ready": ready,
    "warm": warm,
    "promote": promote,
    "top_up": lambda document, order, call: top_up(document, order, call.using, call.patience()),
}
_STATES: Mapping[str, State] = {
    "lock": lock,
    "expand": expand,
    "past": past,
    "shift": shifting.shift,
    "judge": judge,
    "roll_back": returning.roll_back,
    "undo": returning.undo,
    "answer": returning.answer,
    "contract": afterwards.contract,
    "prune": afterwards.prune,
}
