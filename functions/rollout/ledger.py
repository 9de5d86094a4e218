"""The item in DynamoDB that holds the release under way: the lock, its fencing token, and what is known of it.

One release at a time has the item's token; whatever it writes has that token for a condition, so that a machine that
was taken for dead can't write over its successor's. Source of the pattern: Kleppmann, "How to do distributed locking"
(2016).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from functions.rollout.clock import now_s

# A machine that wrote nothing for so long is dead: longer than any of its steps takes, repeated ones included.
LEASE_S = 600
_REPORTS_KEPT_S = 90 * 86_400
_PROMOTIONS_KEPT = 20


class SupersededError(Exception):
    """The lock is another release's by now."""


class Known(NamedTuple):
    """The item of a release, as it was read; attributes as `Ledger.write` wrote them."""

    token: int
    running: bool
    attributes: Mapping[str, Any]


class Ledger:
    """The release item of a namespace, in the library's table (boto3's resource)."""

    def __init__(self, table: Any, namespace: str) -> None:
        self._table = table
        self._key = f"release#{namespace}"

    def lock(self, release_id: str, about: Mapping[str, Any]) -> int | None:
        """Begin a release and return its token; None: another one runs. The same release may ask again."""
        now = now_s()
        values = {"doing": "running", "id": release_id, "lease_until": now + LEASE_S, "began": now, "abort": False}
        cleared = {"ended": 0, "reason": "", "step": 0, "percent": 0, "looks": b"", "live": "", "verdicts": "[]"}
        cleared["unshifted"] = "{}"
        names, assigned, placed = _assignments({**cleared, **values, **_stored(about)})
        try:
            told = self._table.update_item(
                Key={"pk": self._key},
                UpdateExpression=f"{assigned} ADD #token :one",
                ConditionExpression="attribute_not_exists(pk) OR #doing <> :running OR #lease < :now OR #id = :id",
                ExpressionAttributeNames=names
                | {"#token": "token", "#doing": "doing", "#lease": "lease_until", "#id": "id"},
                ExpressionAttributeValues=placed | {":one": 1, ":running": "running", ":now": now, ":id": release_id},
                ReturnValues="ALL_NEW",
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            return None
        return int(told["Attributes"]["token"])

    def read(self) -> Known | None:
        """Read the item; None: there never was a release."""
        item = self._table.get_item(Key={"pk": self._key}, ConsistentRead=True).get("Item")
        return Known(int(item["token"]), item["doing"] == "running", _loaded(item)) if item else None

    def write(self, token: int, **attributes: Any) -> None:
        """Set attributes and renew the lease.

        Raises:
            SupersededError: the release isn't this token's any more, or has ended.
        """
        names, assigned, placed = _assignments({"lease_until": now_s() + LEASE_S, **_stored(attributes)})
        try:
            self._table.update_item(
                Key={"pk": self._key},
                UpdateExpression=assigned,
                ConditionExpression="#token = :token AND #was = :running",
                ExpressionAttributeNames=names | {"#token": "token", "#was": "doing"},
                ExpressionAttributeValues=placed | {":token": token, ":running": "running"},
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException as error:
            raise SupersededError(f"release {token} is over, or another one has the lock") from error

    def fence(self, token: int) -> dict[str, str]:
        """Name the item and its token, as the machine's own condition takes them (infra/release_machine.py)."""
        return {"table": self._table.name, "pk": self._key, "token": str(token)}

    def aborted(self) -> bool:
        """Whether somebody wants the release that runs to roll back."""
        known = self.read()
        return bool(known and known.attributes.get("abort"))

    def end(self, token: int, state: str, reason: str) -> None:
        """Say how a release ended, which frees the lock; whoever was superseded has nothing to say."""
        with suppress(SupersededError):
            self.write(token, doing=state, phase=state.replace("-", " "), ended=now_s(), reason=reason)

    def promoted(self, versions: Mapping[str, str]) -> list[dict[str, str]]:
        """Return the last promotions with this one at the end; for `write`."""
        known = self.read()
        before = known.attributes.get("promotions", []) if known else []
        return [*[past for past in before if past != versions], dict(versions)][-_PROMOTIONS_KEPT:]

    def file(self, token: int, report_json: str, report_html: str) -> None:
        """Keep a release's report for ninety days."""
        reports = {name: zlib.compress(text.encode()) for name, text in _named(report_json, report_html)}
        self._table.put_item(Item={"pk": f"{self._key}#{token}", "expires_at": now_s() + _REPORTS_KEPT_S, **reports})

    def report(self, token: int) -> dict[str, str]:
        """Return the texts of a report by their kind, `json` and `html`; empty: there is none."""
        item = self._table.get_item(Key={"pk": f"{self._key}#{token}"}).get("Item") or {}
        return {kind: zlib.decompress(bytes(item[kind])).decode() for kind in ("json", "html") if kind in item}


def _named(report_json: str, report_html: str) -> tuple[tuple[str, str], ...]:
    return ("json", report_json), ("html", report_html)


_DOCUMENTS = ("targets", "stable", "live", "verdicts", "promotions", "steps", "unshifted")


def _stored(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Documents are kept as JSON, and what the judge saw compressed."""
    stored = {name: json.dumps(value) if name in _DOCUMENTS else value for name, value in attributes.items()}
    if "looks" in stored:
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
