"""What the controller writes down of a release, read by whoever watches it; on the local cloud and on AWS."""

import json
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError


@dataclass(frozen=True)
class Served:
    """What a version served in the step under way; the p95 in milliseconds, None if nothing was counted."""

    requests: int = 0
    failed: int = 0
    p95_ms: float | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Served":
        """Read the controller's figures."""
        p95_us = told.get("p95_us")
        return cls(told.get("requests", 0), told.get("failed", 0), None if p95_us is None else p95_us / 1000)


@dataclass(frozen=True)
class ReleaseItem:
    """A release as it is now: `state` is running, promoted or rolled-back; versions are by function; times epoch s.

    `id` names the machine's execution; `in_force` is what the ledger says is in force, by function.
    `weightless_ms` is how long after the verdict all weight was taken from the canary; None: no verdict did that.
    """

    token: int
    state: str
    phase: str
    stable: Mapping[str, str]
    canary: Mapping[str, str]
    steps: tuple[float, ...]
    step: int
    percent: float
    began: int
    ended: int
    reason: str
    served: Mapping[str, Served]
    promotions: tuple[Mapping[str, str], ...]
    weightless_ms: int | None = None
    id: str = ""
    in_force: Mapping[str, str] = field(default_factory=dict)

    @property
    def ended_well(self) -> bool:
        """Whether the new versions are in force."""
        return self.state == "promoted"


class Releases:
    """The release item of a namespace (a boto3 client of DynamoDB)."""

    def __init__(self, client: Any, table: str, namespace: str) -> None:
        self._client = client
        self._table = table
        self._key = f"release#{namespace}"

    def latest(self) -> ReleaseItem | None:
        """Read the release that runs, or else the last one; None: there never was any."""
        key = {"pk": {"S": self._key}}
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        # A rollback by hand may be all that is known.
        return _release({name: _plain(value) for name, value in item.items()}) if item and "doing" in item else None

    @property
    def table(self) -> str:
        """The table that the ledger is in."""
        return self._table

    def enter(self, entry: str, in_force: Mapping[str, str]) -> bool:
        """Write down what a person put in force (an entry as functions/rollout/history.py has it); False: no table."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": self._key}},
                UpdateExpression=(
                    "SET #history = list_append(if_not_exists(#history, :none), :entry), #in_force = :in_force"
                ),
                ExpressionAttributeNames={"#history": "history", "#in_force": "in_force"},
                ExpressionAttributeValues={
                    ":none": {"L": []},
                    ":entry": {"L": [{"S": entry}]},
                    ":in_force": {"S": json.dumps(dict(in_force))},
                },
            )
        except self._client.exceptions.ResourceNotFoundException:
            return False
        return True

    def demand(self, wish: str) -> bool:
        """Tell the release that runs to `abort`, or to `go_on` with the next step; False: none runs."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": self._key}},
                UpdateExpression="SET #wish = :yes",
                ConditionExpression="#doing = :running",
                ExpressionAttributeNames={"#wish": wish, "#doing": "doing"},
                ExpressionAttributeValues={":yes": {"BOOL": True}, ":running": {"S": "running"}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def give_up(self, release: ReleaseItem, reason: str) -> None:
        """End a release in its dead machine's place, which frees the lock; another one's is left alone."""
        now = int(time.time())
        entry: dict[str, Any] = {
            "release": release.id,
            "versions": dict(release.canary),
            "before": dict(release.stable),
        }
        entry |= {"ended": "rolled-back", "at": now, "reason": reason}
        set_to = {
            "doing": {"S": "rolled-back"},
            "phase": {"S": "rolled back"},
            "percent": {"S": "0"},
            "ended": {"N": str(now)},
            "reason": {"S": reason},
            "in_force": {"S": json.dumps(dict(release.stable))},
        }
        assigned = ", ".join(f"#{name} = :{name}" for name in set_to)
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": self._key}},
                UpdateExpression=f"SET {assigned}, #history = list_append(if_not_exists(#history, :none), :entry)",
                ConditionExpression="#token = :token AND #doing = :running",
                ExpressionAttributeNames={f"#{name}": name for name in (*set_to, "history", "token")},
                ExpressionAttributeValues={f":{name}": value for name, value in set_to.items()}
                | {
                    ":none": {"L": []},
                    ":entry": {"L": [{"S": json.dumps(entry)}]},
                    ":token": {"N": str(release.token)},
                    ":running": {"S": "running"},
                },
            )

    def report(self, token: int) -> str | None:
        """Return a release's report as JSON; None: it had no canary."""
        key = {"pk": {"S": f"{self._key}#{token}"}}
        item = self._client.get_item(TableName=self._table, Key=key).get("Item") or {}
        return zlib.decompress(item["json"]["B"]).decode() if "json" in item else None


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "L":
        return [_plain(each) for each in content]
    return float(content) if kind == "N" else content


def _release(item: Mapping[str, Any]) -> ReleaseItem:
    targets = json.loads(item["targets"])
    live = json.loads(item["live"]) if item.get("live") else {}
    return ReleaseItem(
        token=int(item["token"]),
        state=item["doing"],
        phase=item["phase"],
        stable=json.loads(item["stable"]),
        canary={target["name"]: target["version"] for target in targets},
        steps=tuple(json.loads(item["steps"])),
        step=int(item["step"]),
        percent=float(item["percent"]),
        began=int(item["began"]),
        ended=int(item["ended"]),
        reason=item["reason"],
        served={who: Served.of(live.get(who, {})) for who in ("stable", "canary")},
        promotions=tuple(_promotions(item)),
        weightless_ms=_weightless_ms(json.loads(item.get("unshifted") or "{}")),
        id=item.get("id", ""),
        in_force=json.loads(item.get("in_force") or "{}"),
    )


def _promotions(item: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """List what was in force by a release's doing, the last one at the end (functions/rollout/history.py)."""
    sets: list[Mapping[str, str]] = json.loads(item.get("promotions") or "[]")
    for entry in map(json.loads, item.get("history") or ()):
        if entry["ended"] in {"promoted", "taken-back"}:
            sets = [versions for versions in sets if versions != entry["versions"]]
        if entry["ended"] == "promoted":
            sets.append(entry["versions"])
    return sets


def _weightless_ms(told: Mapping[str, Any]) -> int | None:
    judged_ms, at = told.get("judged_ms"), told.get("at")
    return round(datetime.fromisoformat(at).timestamp() * 1000 - judged_ms) if judged_ms and at else None
