"""What the controller writes down of a release, read by whoever watches it; on the local cloud and on AWS."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
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
        return _release({name: _plain(value) for name, value in item.items()}) if item else None

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

    def report(self, token: int) -> dict[str, str]:
        """Return a release's report by kind, `json` and `html`; empty: it had no canary."""
        key = {"pk": {"S": f"{self._key}#{token}"}}
        item = self._client.get_item(TableName=self._table, Key=key).get("Item") or {}
        return {kind: zlib.decompress(item[kind]["B"]).decode() for kind in ("json", "html") if kind in item}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
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
        promotions=tuple(json.loads(item.get("promotions") or "[]")),
        weightless_ms=_weightless_ms(json.loads(item.get("unshifted") or "{}")),
    )


def _weightless_ms(told: Mapping[str, Any]) -> int | None:
    judged_ms, at = told.get("judged_ms"), told.get("at")
    return round(datetime.fromisoformat(at).timestamp() * 1000 - judged_ms) if judged_ms and at else None
