"""CloudFormation around the custom resource of a release: what it sends, when, and what it makes of the answers.

Source: "Custom resources" and "Custom resource request objects", CloudFormation User Guide. Requests go through the
queue of Lambda's asynchronous invocations: at least once, and again after one and two minutes if the function raises. A
rollback is an Update with the former properties and an id of its own. What answers a request that is over is not heard.
"""

from __future__ import annotations

import io
import json
import urllib.error
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, NamedTuple

from tests.harness.iam.stage_roles import written
from tests.simulation.release_account import Account
from tests.simulation.release_timeline import Timeline

_HOUR_S = 3600
_MOST_BODY = 4096
_AGAIN_S = (60, 120)


class Weather(NamedTuple):
    """What goes wrong around one request.

    Attributes:
        again_s: when the request is delivered once more, in seconds after the first time.
        refused: how many answers S3 refuses first.
        cancel_s: when a person cancels the update; None: nobody does.
        fails_after: whether another resource fails once this one has succeeded.
    """

    again_s: tuple[float, ...] = ()
    refused: int = 0
    cancel_s: float | None = None
    fails_after: bool = False


@dataclass
class Asked:
    """A request under way, or over: `status` is the answer that was heard."""

    event: Mapping[str, Any]
    refusals: int
    status: str | None = None
    reason: str = ""
    over: bool = False
    all: list[str] = field(default_factory=list)


class Stack:
    """One stack: `versions` are those of the template in force, None before it is created."""

    def __init__(self, timeline: Timeline, account: Account, functions: Sequence[str], way: Mapping[str, Any]) -> None:
        self._timeline, self._account, self._functions, self._way = timeline, account, functions, way
        self.versions: dict[str, str] | None = None
        self.physical_id: str | None = None
        self.requests: dict[str, Asked] = {}

    def create(self, weather: Weather, *, bad: bool) -> bool:
        """Create the stack; if that fails it is rolled back, which leaves nothing."""
        versions = self._published(bad=bad)
        asked = self._ask("Create", versions, {}, weather)
        if asked.status == "SUCCESS" and not weather.fails_after:
            self._put(versions)
            self.versions = versions
            return True
        self.delete(versions)
        return False

    def update(self, weather: Weather, *, bad: bool) -> bool:
        """Update the stack to new versions; if that fails, or is cancelled, it is rolled back to those before."""
        assert self.versions is not None
        former, versions = self.versions, self._published(bad=bad)
        asked = self._ask("Update", versions, former, weather)
        if asked.status == "SUCCESS":
            self._put(versions)
            if not weather.fails_after:
                self.versions = versions
                return True
        back = self._ask("Update", former, versions, Weather(weather.again_s, weather.refused))
        assert back.status == "SUCCESS", f"the way back failed: {back.reason}"
        if asked.status == "SUCCESS":
            self._put(former)
        self._forget(versions)
        return False

    def delete(self, versions: Mapping[str, str] | None = None, weather: Weather = Weather()) -> None:  # noqa: B008
        """Delete the stack: the aliases first, then the release, then the functions."""
        self._account.aliases.clear()
        asked = self._ask("Delete", versions or self.versions or {}, {}, weather)
        assert asked.status == "SUCCESS", asked.reason
        self._account.forget()
        self.versions = self.physical_id = None

    def put(self, request: Any, timeout: float) -> Any:
        """Take an answer, as S3 does at the presigned URL."""
        self._timeline.sleep(0.05)
        asked = self.requests[request.full_url.rsplit("/", 1)[1]]
        if asked.refusals > 0:
            asked.refusals -= 1
            raise urllib.error.HTTPError(request.full_url, 403, "Forbidden", Message(), io.BytesIO())
        assert request.get_header("Content-type") == ""
        assert len(request.data) <= _MOST_BODY
        self._hear(asked, json.loads(request.data))
        return io.BytesIO()

    def _hear(self, asked: Asked, body: Mapping[str, Any]) -> None:
        for name in ("StackId", "RequestId", "LogicalResourceId"):
            assert body[name] == asked.event[name]
        # Of another id CloudFormation would delete the resource that was there before.
        assert body["PhysicalResourceId"] == (self.physical_id or body["PhysicalResourceId"])
        assert body["Status"] in {"SUCCESS", "FAILED"}
        assert body["Reason"]
        asked.all.append(body["Status"])
        if not asked.over:
            asked.status, asked.reason, asked.over = body["Status"], body["Reason"], True
            self.physical_id = body["PhysicalResourceId"]

    def _ask(self, kind: str, versions: Mapping[str, str], former: Mapping[str, str], weather: Weather) -> Asked:
        """Send a request, and wait for its answer, for the end of its hour, or for a person who cancels."""
        event = self._event(kind, versions, former)
        asked = self.requests[event["RequestId"]] = Asked(event, weather.refused)
        for after_s in (0.0, *weather.again_s):
            self._timeline.at(after_s, self._delivery(event))

        def end(reason: str) -> Callable[[], None]:
            def over() -> None:
                if not asked.over:
                    asked.status, asked.reason, asked.over = "FAILED", reason, True

            return over

        self._timeline.at(_HOUR_S, end("No response in an hour."))
        if weather.cancel_s is not None and kind == "Update":
            self._timeline.at(weather.cancel_s, end("Resource update cancelled."))
        self._timeline.run(lambda: asked.over)
        return asked

    def _delivery(self, event: Mapping[str, Any], tries: tuple[int, ...] = _AGAIN_S) -> Callable[[], None]:
        def deliver() -> None:
            try:
                self._account.call(event)
            except AssertionError:
                raise
            except Exception:  # noqa: BLE001  # Lambda invokes again, whatever it was
                if tries:
                    self._timeline.at(tries[0], self._delivery(event, tries[1:]))

        return deliver

    def _event(self, kind: str, versions: Mapping[str, str], former: Mapping[str, str]) -> dict[str, Any]:
        request = uuid.uuid4().hex
        own = {"PhysicalResourceId": self.physical_id or "made-up-by-cloudformation"} if kind != "Create" else {}
        old = {"OldResourceProperties": self._properties(former)} if kind == "Update" else {}
        return {
            "RequestType": kind,
            "RequestId": request,
            "ResponseURL": f"https://answers.invalid/{request}",
            "StackId": "stack",
            "LogicalResourceId": "Release",
            "ResourceProperties": self._properties(versions),
            **own,
            **old,
        }

    def _properties(self, versions: Mapping[str, str]) -> dict[str, Any]:
        targets = [{"Name": name, "Version": version, "Serves": "http"} for name, version in versions.items()]
        return {
            "Machine": written().places["machine"],
            "Namespace": "test",
            "Alias": "live",
            "Targets": targets,
            **self._way,
        }

    def _published(self, *, bad: bool) -> dict[str, str]:
        versions = {name: self._account.publish(name) for name in self._functions}
        if bad:
            self._account.bad |= {f"{name} {version}" for name, version in versions.items()}
        return versions

    def _put(self, versions: Mapping[str, str]) -> None:
        """Create or update the aliases as the template has them."""
        for name, version in versions.items():
            assert version in self._account.versions[name], f"{name} {version} was deleted, and is released"
            self._account.aliases[name] = (version, {})

    def _forget(self, versions: Mapping[str, str]) -> None:
        """Clean up: the versions of an update that was rolled back go, but for one that serves."""
        for name, version in versions.items():
            serving, weights = self._account.aliases.get(name, ("", {}))
            assert version not in {serving, *weights}, f"{name} {version} serves after the way back"
            if version in self._account.versions[name]:
                self._account.versions[name].remove(version)
