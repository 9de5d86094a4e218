"""The item in DynamoDB that holds the release under way: the lock, its fencing token, and its state.

One release at a time has the item's token. All its writes have that token as a condition, so that a machine that was
taken for dead can't overwrite its successor's. Source of the pattern: Kleppmann, "How to do distributed locking"
(2016). The history of ended releases is in the same item, and the write that ends a release adds to it atomically.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from functions.rollout.clock import now_s
from functions.rollout.history import Ended, Entry, History, UnderWay, Versions, trimmed

# A machine that hasn't written for so long is dead: no step takes longer, retries included.
LEASE_S = 600
_REPORTS_KEPT_S = 90 * 86_400


class SupersededError(Exception):
    """Another release has the lock by now."""


class LedgerMissingError(Exception):
    """The ledger's table doesn't exist; the message names it, and `mend` says what to do."""

    mend = "Restore it from a backup, or make it as the stack's template says."


class LedgerDamagedError(LedgerMissingError):
    """The ledger's item is none that a release wrote; the message names it."""

    mend = "Delete the item: the next release begins a history of its own."


class Known(NamedTuple):
    """The ledger's item, as it was read; its attributes are as `Ledger.write` wrote them."""

    token: int
    running: bool
    attributes: Mapping[str, Any]

    @property
    def history(self) -> History:
        """The history of releases, with the one under way."""
        attributes = self.attributes
        entries = [
            *[Entry("", versions, {}, "promoted", 0) for versions in attributes.get("promotions") or ()],
            *[Entry.loads(text) for text in attributes.get("history") or ()],
        ]
        return History(entries, attributes.get("in_force") or {}, _under_way(attributes) if self.running else None)


NOTHING = History()


def _known(item: Mapping[str, Any]) -> Known:
    """Read an item whole, its history included, so that what is wrong with it is found here."""
    known = Known(int(item.get("token", 0)), item.get("doing") == "running", _loaded(item))
    versions = [of for entry in known.history.entries for of in (entry.versions, entry.before)]
    if not all(isinstance(of, dict) for of in (*versions, known.history.in_force)):
        raise TypeError("the history has what are no versions")
    return known


def _under_way(attributes: Mapping[str, Any]) -> UnderWay:
    versions = {target["name"]: target["version"] for target in attributes.get("targets") or ()}
    return UnderWay(attributes.get("id", ""), versions, attributes.get("stable") or {})


class Ledger:
    """The release item of a namespace, in the library's table (boto3's resource)."""

    def __init__(self, table: Any, namespace: str) -> None:
        self._table = table
        self._key = f"release#{namespace}"

    def lock(self, release_id: str, about: Mapping[str, Any]) -> int | None:
        """Begin a release and return its token; None if another one runs. Safe to repeat for the same release.

        A release whose machine died is entered into the history as rolled back.
        """
        now = now_s()
        values = {"doing": "running", "id": release_id, "lease_until": now + LEASE_S, "began": now, "abort": False}
        cleared = {"ended": 0, "reason": "", "step": 0, "percent": 0, "looks": b"", "live": "", "verdicts": "[]"}
        cleared |= {"unshifted": "{}", "afterwards": "[]", "into_incident": "", "in_force": about.get("stable") or {}}
        names, assigned, placed = _assignments(_stored({**cleared, **values, **about}))
        try:
            replaced = self._table.update_item(
                Key={"pk": self._key},
                UpdateExpression=f"{assigned} ADD #token :one",
                ConditionExpression="attribute_not_exists(pk) OR attribute_not_exists(#doing) OR #doing <> :running "
                "OR #lease < :now OR #id = :id",
                ExpressionAttributeNames=names
                | {"#token": "token", "#doing": "doing", "#lease": "lease_until", "#id": "id"},
                ExpressionAttributeValues=placed | {":one": 1, ":running": "running", ":now": now, ":id": release_id},
                ReturnValues="ALL_OLD",
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            return None
        before = replaced.get("Attributes") or {}
        if before.get("doing") == "running" and before["id"] != release_id:
            dead = _under_way(_loaded(before))
            self._enter(Entry(dead.release, dead.versions, dead.before, "rolled-back", now, "Its machine died."))
        self._trim(before.get("history") or ())
        return int(before.get("token", 0)) + 1

    def read(self) -> Known | None:
        """Read the item; None if there never was a release.

        Raises:
            LedgerMissingError: there is no such table.
            LedgerDamagedError: the item is none that a release wrote.
        """
        try:
            item = self._table.get_item(Key={"pk": self._key}, ConsistentRead=True).get("Item")
        except self._table.meta.client.exceptions.ResourceNotFoundException as error:
            raise LedgerMissingError(
                f"The table {self._table.name}, which the ledger of releases is in, is missing."
            ) from error
        try:
            return _known(item) if item else None
        except (AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
            raise LedgerDamagedError(
                f"The item {self._key} of the table {self._table.name}, which the ledger of releases is in, can't be "
                f"read ({type(error).__name__}: {error})."
            ) from error

    def history(self) -> History:
        """Read the history of releases."""
        known = self.read()
        return known.history if known else NOTHING

    def write(self, token: int, **attributes: Any) -> None:
        """Set attributes and renew the lease.

        Raises:
            SupersededError: another release has the lock, or this one has ended.
        """
        self._write(token, {"lease_until": now_s() + LEASE_S, **attributes}, running=True)

    def fence(self, token: int) -> dict[str, str]:
        """Return the item's key and token, for the condition in the machine's own calls (release_machine.py)."""
        return {"table": self._table.name, "pk": self._key, "token": str(token)}

    def aborted(self) -> bool:
        """Whether a person has asked the running release to roll back."""
        known = self.read()
        return bool(known and known.attributes.get("abort"))

    def end(self, token: int, state: Ended, reason: str, in_force: Versions | None = None) -> None:
        """Write how a release ended, which frees the lock; a superseded release changes nothing.

        `in_force`: the versions in force by function, if they have changed.
        """
        known = self.read()
        if known is None or known.token != token or not known.running:
            return
        of = _under_way(known.attributes)
        entry = Entry(of.release, of.versions, of.before, state, now_s(), reason)
        outcome = {"doing": state, "phase": state.replace("-", " "), "ended": entry.at, "reason": reason}
        now = {"in_force": dict(in_force)} if in_force is not None else {}
        with suppress(SupersededError):
            self._write(token, {**outcome, **now}, running=True, entry=entry)

    def enter(self, entry: Entry, in_force: Versions | None = None) -> None:
        """Add an entry that doesn't end the running release: a refusal, a rollback by the stack, a change by hand."""
        self._enter(entry, in_force)

    def remark(self, token: int, remarks: Sequence[str]) -> None:
        """Note errors after the response to CloudFormation, unless another release has begun."""
        with suppress(SupersededError):
            self._write(token, {"afterwards": list(remarks)}, running=False)

    def file(self, token: int, report: str) -> None:
        """Keep a release's report, as JSON, for ninety days."""
        item = {"pk": f"{self._key}#{token}", "expires_at": now_s() + _REPORTS_KEPT_S}
        self._table.put_item(Item={**item, "json": zlib.compress(report.encode())})

    def _write(self, token: int, attributes: Mapping[str, Any], *, running: bool, entry: Entry | None = None) -> None:
        names, assigned, placed = _assignments(_stored(attributes))
        names["#token"], placed[":token"] = "token", token
        condition = "#token = :token"
        if running:
            names["#was"], placed[":running"] = "doing", "running"
            condition += " AND #was = :running"
        if entry:
            assigned += f", {_APPENDED}"
            names["#history"] = "history"
            placed |= {":none": [], ":entry": [entry.dumps()]}
        try:
            self._table.update_item(
                Key={"pk": self._key},
                UpdateExpression=assigned,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=placed,
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException as error:
            raise SupersededError(f"release {token} is over, or another one has the lock") from error

    def _enter(self, entry: Entry, in_force: Versions | None = None) -> None:
        assigned, names = f"SET {_APPENDED}", {"#history": "history"}
        placed: dict[str, Any] = {":none": [], ":entry": [entry.dumps()]}
        if in_force is not None:
            assigned += ", #in_force = :in_force"
            names["#in_force"], placed[":in_force"] = "in_force", json.dumps(dict(in_force))
        self._table.update_item(
            Key={"pk": self._key},
            UpdateExpression=assigned,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=placed,
        )

    def _trim(self, entries: Sequence[str]) -> None:
        """Remove the oldest entries, unless another one is being added just now: the next release removes them then."""
        kept = trimmed(entries)
        if len(kept) == len(entries):
            return
        with suppress(self._table.meta.client.exceptions.ConditionalCheckFailedException):
            self._table.update_item(
                Key={"pk": self._key},
                UpdateExpression="SET #history = :kept",
                ConditionExpression="size(#history) = :size",
                ExpressionAttributeNames={"#history": "history"},
                ExpressionAttributeValues={":kept": kept, ":size": len(entries)},
            )


_APPENDED = "#history = list_append(if_not_exists(#history, :none), :entry)"


_DOCUMENTS = frozenset(
    {"targets", "stable", "live", "verdicts", "promotions", "steps", "unshifted", "in_force", "afterwards"}
)


def _stored(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Encode attributes: documents as JSON, and the judge's looks compressed."""
    stored = {
        name: json.dumps(value) if name in _DOCUMENTS and not isinstance(value, str) else value
        for name, value in attributes.items()
    }
    if "looks" in stored and not isinstance(stored["looks"], bytes):
        stored["looks"] = zlib.compress(json.dumps(stored["looks"]).encode())
    return stored


def _loaded(item: Mapping[str, Any]) -> dict[str, Any]:
    loaded = {name: json.loads(value) if name in _DOCUMENTS and value else value for name, value in item.items()}
    looks = bytes(item.get("looks") or b"")
    loaded["looks"] = json.loads(zlib.decompress(looks)) if looks else {}
    return loaded


def _assignments(values: Mapping[str, Any]) -> tuple[dict[str, str], str, dict[str, Any]]:
    names = {f"#n{at}": name for at, name in enumerate(values)}
    placed = {f":v{at}": value for at, value in enumerate(values.values())}
    assigned = ", ".join(f"#n{at} = :v{at}" for at in range(len(values)))
    return names, f"SET {assigned}", placed
