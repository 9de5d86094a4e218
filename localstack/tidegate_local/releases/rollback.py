"""`tidegate rollback`: a version that served before is put in force by hand, with all that served beside it."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from tidegate_local.errors import ReleaseError
from tidegate_local.releases.item import ReleaseItem, Releases
from tidegate_local.releases.place import Place
from tidegate_local.releases.rollback_choice import RollbackRefusedError, chosen

_LOOK_EVERY_S = 0.5
# A state that calls cold versions takes longest.
_ABORTED_WITHIN_S = 180.0


class Back(NamedTuple):
    """What is in force now, by function, and whose aliases were missing and are made again."""

    versions: Mapping[str, str]
    made: Sequence[str]


def roll_back(place: Place, version: str | None) -> Back:
    """Give retained versions all of the traffic, at once.

    `version` is the API's number; None: that which was in force before the present one. All functions that were
    released together go back together. A release that runs is aborted. It is written into the ledger of releases, so
    that nothing takes it for a mistake.

    Raises:
        ReleaseError: there is no such version, or something that it takes isn't there; the message names it.
    """
    releases, functions, alias = place.releases(), place.client("lambda"), place.outputs["AliasName"]
    latest = _latest(releases)
    names = [place.outputs[output] for output in ("FunctionName", "WorkerName") if output in place.outputs]
    served = latest.promotions if latest else ()
    if latest and latest.state == "running" and latest.stable:
        served = (*served, latest.stable)
    known = _retained(functions, [*dict.fromkeys([*names, *[name for versions in served for name in versions]])])
    now = {name: _named(functions, name, alias) for name in names}
    try:
        to = chosen(served, names[0], now, known, version)
    except RollbackRefusedError as error:
        raise ReleaseError(str(error)) from error
    # Written first: whatever goes back from now on goes to these.
    _enter(releases, to, now)
    aborted = releases.demand("abort")
    _move(functions, alias, to, now)
    if aborted:
        _await_end(releases)
        _move(functions, alias, to, now)  # the release has gone back to where it came from
    return Back(to, [name for name in to if now.get(name, "") is None])


def _retained(functions: Any, names: list[str]) -> dict[str, frozenset[str]]:
    """List the published versions of functions; one that isn't there is left out."""
    found = {}
    for name in names:
        try:
            pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=name)
            found[name] = frozenset(v["Version"] for page in pages for v in page["Versions"] if v["Version"].isdigit())
        except functions.exceptions.ResourceNotFoundException:
            continue
    return found


def _named(functions: Any, name: str, alias: str) -> str | None:
    """Return what an alias names; None: there is no such alias, or no such function."""
    try:
        named: str = functions.get_alias(FunctionName=name, Name=alias)["FunctionVersion"]
    except functions.exceptions.ResourceNotFoundException:
        return None
    return named


def _enter(releases: Releases, to: Mapping[str, str], now: Mapping[str, str | None]) -> None:
    entry = {
        "release": f"by-hand-{uuid.uuid4()}",
        "versions": dict(to),
        "before": {name: version for name, version in now.items() if version},
        "ended": "by-hand",
        "at": int(time.time()),
        "reason": "tidegate rollback",
    }
    if not releases.enter(json.dumps(entry), to):
        raise _missing(releases)


def _missing(releases: Releases) -> ReleaseError:
    return ReleaseError(
        f"The table {releases.table}, which the ledger of releases is in, is missing. Restore it from a backup, or "
        "move the aliases by hand: aws lambda update-alias (docs/releases.md)."
    )


def _latest(releases: Releases) -> ReleaseItem | None:
    try:
        return releases.latest()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise _missing(releases) from error
        raise


def _move(functions: Any, alias: str, to: Mapping[str, str], now: Mapping[str, str | None]) -> None:
    for name, number in to.items():
        if now.get(name, "") is None:
            try:
                functions.create_alias(FunctionName=name, Name=alias, FunctionVersion=number)
            except functions.exceptions.ResourceConflictException:
                pass  # it was made at the first move: it is settled below
            else:
                continue
        functions.update_alias(
            FunctionName=name, Name=alias, FunctionVersion=number, RoutingConfig={"AdditionalVersionWeights": {}}
        )


def _await_end(releases: Releases) -> None:
    deadline = time.monotonic() + _ABORTED_WITHIN_S
    while (release := releases.latest()) and release.state == "running":
        if time.monotonic() > deadline:
            raise ReleaseError(
                "The version is in force, but the release that runs took no notice: `tidegate release --abort` again."
            )
        time.sleep(_LOOK_EVERY_S)
