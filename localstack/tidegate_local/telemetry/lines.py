"""The functions' lines as data: one for each request, and one for each store that was lost or came back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# As in the line; docs/observability.md says what each means.
OUTCOMES = ("admitted", "replayed", "unguarded", "queued", "limited", "shed", "refused", "failed")
WORKER = "worker"


@dataclass(frozen=True)
class RequestLine:
    """One request, at its end (epoch seconds).

    Members are the line's (docs/observability.md): times in milliseconds, None for what it doesn't say; `cause` is the
    reason in one word.
    """

    at_s: float
    service: str
    method: str
    route: str
    principal: str
    outcome: str
    status: int | None = None
    duration_ms: float = 0.0
    store: str | None = None
    admission_ms: float | None = None
    waited_ms: float | None = None
    cache: str | None = None
    cause: str | None = None
    criticality: str | None = None
    pressure: float | None = None
    pressed_by: str | None = None
    release: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the service failed its client; what was shed was shed on purpose."""
        return self.outcome == "failed" or ((self.status or 0) >= 500 and self.outcome != "shed")


@dataclass(frozen=True)
class StoreChange:
    """An environment's breaker of a store opened (`failing`, by a fault) or closed (`ready`); epoch seconds."""

    at_s: float
    service: str
    store: str
    state: str
    fault: str | None = None


Line = RequestLine | StoreChange


def parse(message: str) -> Line | None:
    """Read a log message; None if it is another one."""
    if '"message":"request"' not in message and '"store changed"' not in message:
        return None
    try:
        said = json.loads(message)
        at_s = datetime.fromisoformat(said["timestamp"]).timestamp()
        return _request(at_s, said) if said["message"] == "request" else _change(at_s, said)
    except (ValueError, KeyError, TypeError):  # somebody else's line
        return None


def _request(at_s: float, said: Mapping[str, Any]) -> RequestLine:
    return RequestLine(
        at_s,
        said["service"],
        said["method"],
        said["route"],
        said["principal"],
        said["outcome"],
        said.get("status"),
        float(said.get("duration_ms", 0.0)),
        said.get("store"),
        said.get("admission_ms"),
        said.get("waited_ms"),
        said.get("cache"),
        said.get("cause") or _word(said.get("reason")),
        said.get("criticality"),
        said.get("pressure"),
        said.get("pressed_by"),
        said.get("release"),
    )


def _change(at_s: float, said: Mapping[str, Any]) -> StoreChange:
    return StoreChange(at_s, said["service"], said["store"], said["state"], said.get("fault"))


def _word(reason: str | None) -> str | None:
    """The last word of a problem's type, as the metrics have it."""
    return reason.rpartition("#")[2].rpartition(":")[2] if reason else None
