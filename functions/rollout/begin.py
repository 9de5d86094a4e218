"""The beginning: CloudFormation's request gets a response at once if nothing is to be released, or starts a machine."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from functions.rollout import cloudformation
from functions.rollout.clock import now_s
from functions.rollout.denial import once_granted
from functions.rollout.history import Entry, History, Versions
from functions.rollout.ledger import NOTHING, LedgerMissingError
from functions.rollout.meaning import Aliases, Meaning, Request, meaning
from functions.rollout.order import Order
from functions.rollout.parts import Parts, client, parts

# How long a role that is new may take to hold; the rest of the function's two minutes is for the response.
_GRANTED_WITHIN_S = 75


class Asked(NamedTuple):
    """A request, and the state by which it was understood."""

    request: Request
    known: History
    aliases: Aliases


def begin(event: Mapping[str, Any]) -> str | None:
    """Take a request, and return the reason of the response if it was sent at once; None if a machine was started.

    CloudFormation gets every error as its response; if it doesn't wait for one, the error is raised.
    """
    to = cloudformation.address(event)
    try:
        well, reason = once_granted(lambda: _taken(event, to), _GRANTED_WITHIN_S)
    except Exception as error:
        if "ResponseURL" not in to:
            raise
        if event["RequestType"] == "Delete":
            # The stack is being deleted with all that is left; a failure would only keep it.
            logging.getLogger(__name__).exception("the release under way may go on for a while")
            well, reason = True, f"The aliases go with the stack. ({_words(error)})"
        else:
            # Without a response the stack would wait for an hour.
            well, reason = False, f"The release didn't begin: {_words(error)}"
    if reason:
        cloudformation.answer(to, "SUCCESS" if well else "FAILED", reason)
    return reason


def _taken(event: Mapping[str, Any], to: Mapping[str, str]) -> tuple[bool, str | None]:
    """Do the work that needs no machine, and return whether it went well and its reason; None: a machine goes on."""
    properties = event["ResourceProperties"]
    order = Order.of(properties)
    former = _versions(event.get("OldResourceProperties"))
    using = parts(order)
    kind = event["RequestType"]
    request = Request(kind, event["RequestId"], order.versions, former)
    known, lost = _history(using)
    # At a deletion the aliases don't matter.
    aliases = {} if kind == "Delete" else using.aliases.read_all(order.versions)
    found = meaning(request, known, aliases)
    if found.act in {"settled", "answered"}:
        return found.well, _settled(Asked(request, known, aliases), found, using, str(lost) if lost else "")
    if lost:
        raise type(lost)(f"{lost} {lost.mend}") from lost
    document = {"answer": to, "order": dict(properties), "id": request.id, "former": dict(former), "asked": now_s()}
    _start(properties["Machine"], {**document, "first": found.act == "first"})
    return True, None


def _history(using: Parts) -> tuple[History, LedgerMissingError | None]:
    """Read the history of releases; if there is no ledger, or none that can be read, return an empty one and why."""
    try:
        return using.ledger.history(), None
    except LedgerMissingError as error:
        return NOTHING, error


def _settled(asked: Asked, found: Meaning, using: Parts, lost: str) -> str:
    if not lost:
        asked, found = _given_up(asked, found, using)
    request, known, aliases = asked
    moved, sentences = dict[str, str](), [found.said, lost]
    for move in found.moves:
        version = using.aliases.settle_at_first(move.function, move.versions, missing=move.missing)
        if version is None:
            sentences.append(f"None of the versions {', '.join(move.versions)} of {move.function} is there any more.")
        else:
            moved[move.function] = version
    if moved and not lost:
        there = {name: alias.version for name, alias in aliases.items() if alias and alias.version.isdigit()}
        in_force = {**known.in_force, **there, **moved}
        using.ledger.enter(_entry(request, found, known, in_force), in_force)
    return " ".join([sentence for sentence in sentences if sentence])


def _given_up(asked: Asked, found: Meaning, using: Parts) -> tuple[Asked, Meaning]:
    """End the release that a request gives up, whether its machine has the lock already or not."""
    request, known, aliases = asked
    if _unbegun(request, known):
        # Its machine may take the lock at any moment. It looks for this entry then (states.py), and here it is looked
        # for after the entry: one of both finds the other.
        given_up = "The stack went back before the release had begun."
        using.ledger.enter(Entry(request.id, request.former, known.in_force, "taken-back", now_s(), given_up), None)
        running = using.ledger.history().running
        if running and running.versions == request.former:
            known = known._replace(running=running)
            found = meaning(request, known, aliases)
    known_item = using.ledger.read() if found.ends and known.running else None
    if known_item is None:
        return Asked(request, known, aliases), found
    # From now on its machine can't write to the ledger any more, and leaves the aliases alone.
    using.ledger.end(known_item.token, "rolled-back", "Whoever ordered the release gave it up.")
    if request.kind != "Delete":
        # It may have shifted traffic since they were read. What it shifts from now on it takes back itself.
        aliases = using.aliases.read_all(request.versions)
        found = meaning(request, known, aliases)
    return Asked(request, known, aliases), found


def _unbegun(request: Request, known: History) -> bool:
    """Whether the stack goes back from versions of whose release nothing is known."""
    goes_back = request.kind == "Update" and request.former and request.former != request.versions
    return bool(goes_back and known.running is None and known.of(request.former) is None)


def _entry(request: Request, found: Meaning, known: History, in_force: Versions) -> Entry:
    """Return the history's entry of a rollback: a promotion was taken back, or else the stack has repaired an alias."""
    if found.takes_back:
        return Entry(request.id, request.former, in_force, "taken-back", now_s(), found.said)
    return Entry(request.id, request.versions, known.in_force, "by-stack", now_s(), found.said)


def _start(machine: str, document: Mapping[str, Any]) -> None:
    """Start the machine; a repeated request starts it once, because the execution's name is the request's id."""
    functions = client("stepfunctions")
    with suppress(functions.exceptions.ExecutionAlreadyExists):
        functions.start_execution(stateMachineArn=machine, name=document["id"], input=json.dumps(document))


def _versions(properties: Mapping[str, Any] | None) -> Versions:
    """Read the versions of an order; empty if its properties can't be read."""
    with suppress(KeyError, TypeError):
        return {target["Name"]: str(target["Version"]) for target in (properties or {})["Targets"]}
    return {}


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, LedgerMissingError) else f"{type(error).__name__}: {error}"
