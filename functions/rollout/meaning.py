"""The meaning of a request of CloudFormation's: a release, its repetition, or the stack's rollback. Pure.

CloudFormation rolls back by an ordinary Update with the former properties, which isn't marked. A comparison with the
versions in force would take it for a release whenever a person had rolled back by hand. So the history decides: a
rollback orders versions that have served before, a release versions that never have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from functions.rollout.aliases import Split, made_again
from functions.rollout.history import History, Versions

Kind = Literal["Create", "Update", "Delete"]
# `release`: start a machine; `first`: the same, with no version to go back to; `again`: this request's machine runs.
# `answered`: it has ended, and its response may have been lost. `settled`: nothing is released.
Act = Literal["release", "first", "again", "answered", "settled"]
Aliases = Mapping[str, Split | None]


class Request(NamedTuple):
    """A request of CloudFormation's.

    Attributes:
        kind: its `RequestType`.
        id: its id, which a repetition has, too.
        versions: the ordered versions, by function.
        former: the versions of the order before, if the request has them.
    """

    kind: Kind
    id: str
    versions: Versions
    former: Versions = MappingProxyType({})


class Move(NamedTuple):
    """A change of an alias: to the first of `versions` that still exists; `missing`: it has to be created."""

    function: str
    versions: tuple[str, ...]
    missing: bool = False


class Meaning(NamedTuple):
    """The consequence of a request.

    Attributes:
        act: the next action.
        moves: the changes of aliases that are made at once.
        ends: whether it ends the release under way.
        takes_back: whether it takes a promotion back.
        said: the reason of the response, if no machine sends it.
        well: whether the response is a success; False only for `answered`.
    """

    act: Act
    moves: tuple[Move, ...] = ()
    ends: bool = False
    takes_back: bool = False
    said: str = ""
    well: bool = True


def meaning(request: Request, known: History, aliases: Aliases) -> Meaning:
    """Return a request's meaning, by the history and the aliases."""
    running = known.running
    if request.kind == "Delete":
        ends = running is not None and running.versions == request.versions
        return Meaning("settled", ends=ends, said="The aliases go with the stack.")
    if running and running.release == request.id:
        return Meaning("again")
    ended = known.ended(request.id)
    if ended:
        return Meaning("answered", said=ended.reason, well=ended.ended not in {"rolled-back", "refused"})
    if request.kind == "Create":
        return _created(request, known, aliases)
    return Meaning("release") if is_release(request, known, aliases) else _settled(request, known, aliases)


def _created(request: Request, known: History, aliases: Aliases) -> Meaning:
    there = {name: alias.version for name, alias in aliases.items() if alias}
    if any(there.get(name) != version for name, version in request.versions.items()):
        return Meaning("release")
    # Without custom resources the aliases exist before the first release.
    return Meaning("settled", said="Nothing to release.") if known.promotions() else Meaning("first")


def is_release(request: Request, known: History, aliases: Aliases) -> bool:
    """Whether an Update orders a version that never served, and isn't the stack's rollback."""
    if known.given_up(request.versions):
        return True  # a failed release whose stack wasn't rolled back is retried
    fresh = [
        name
        for name, version in request.versions.items()
        if not known.served(name, version) and not _names(aliases.get(name), version)
    ]
    if not fresh or request.versions == request.former:
        return False
    # The history may have been lost, but within one stack versions only grow.
    return not (request.former and all(_is_older(request, name) for name in request.versions))


def _is_older(request: Request, name: str) -> bool:
    former, version = request.former.get(name, ""), request.versions[name]
    return former.isdigit() and version.isdigit() and int(version) <= int(former)


def _names(alias: Split | None, version: str) -> bool:
    return alias is not None and alias.version == version


def _settled(request: Request, known: History, aliases: Aliases) -> Meaning:
    """Keep the versions in force, except those of a release that this request gives up, and repair broken aliases."""
    running = known.running
    if running and request.former and running.versions != request.former:
        return Meaning("settled", said="Another release is under way: it goes on.")
    undone, before = _undone(request, known)
    moves = tuple(_moves(request, known, aliases, undone, before))
    promoted = known.of(undone)
    back = [move for move in moves if _names(aliases.get(move.function), undone.get(move.function, ""))]
    takes_back = bool(back) and promoted is not None and promoted.ended == "promoted"
    said = " ".join(_sentences(request, aliases, moves, ends=running is not None))
    return Meaning("settled", moves, running is not None, takes_back, said or "Nothing to release.")


def _undone(request: Request, known: History) -> tuple[Versions, Versions]:
    """Return the versions of the release that is given up, and those in force before it."""
    if known.running:
        return known.running.versions, known.running.before
    given_up = known.of(request.former)
    return request.former, given_up.before if given_up else {}


def _moves(request: Request, known: History, aliases: Aliases, undone: Versions, before: Versions) -> Iterator[Move]:
    for name, version in request.versions.items():
        alias, given_up = aliases.get(name), undone.get(name)
        if alias is None:
            if name in request.former or name in known.in_force:  # else CloudFormation creates it
                yield Move(name, _each(known.in_force.get(name), before.get(name), version), missing=True)
        elif not alias.version.isdigit():
            yield Move(name, _each(known.in_force.get(name), before.get(name), version))
        elif alias.version == given_up != version:
            yield Move(name, _each(before.get(name), version))
        elif alias.weights:
            yield Move(name, (alias.version,))


def _each(*versions: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys([version for version in versions if version]))


def _sentences(request: Request, aliases: Aliases, moves: tuple[Move, ...], *, ends: bool) -> Iterator[str]:
    if ends:
        yield "The release under way is given up."
    for move in moves:
        alias, version = aliases.get(move.function), move.versions[0]
        if alias is None:
            yield made_again(move.function, version)
        elif not alias.version.isdigit():
            yield f"The alias of {move.function} named {alias.version}, and is put at version {version}."
        elif alias.version != version:
            yield f"{move.function} is back at version {version}."
    moved = {move.function for move in moves}
    for name, version in request.versions.items():
        alias = aliases.get(name)
        if alias and name not in moved and alias.version != version:
            yield f"{name} stays at version {alias.version}, where it was put by hand."
