"""`tidegate logs`: what the functions log, from CloudWatch Logs of the engine."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.errors import LocalCloudError
from tidegate_local.state import LocalState

_POLL_S = 0.5
_GROUPS = ("LogGroupName", "WorkerLogGroupName")
# Lambda's own lines around every invocation.
_PLATFORM = ("START RequestId:", "END RequestId:", "REPORT RequestId:", "INIT_START ")


def groups(state: LocalState) -> tuple[str, ...]:
    """Return the log groups of the functions that serve requests."""
    return tuple(state.outputs[output] for output in _GROUPS if output in state.outputs)


class LogFollower:
    """Reads log groups from a moment on (epoch milliseconds); each poll returns what wasn't there before."""

    def __init__(self, client: cloud.Client, names: Sequence[str], start_ms: int) -> None:
        self._client = client
        self._names = names
        self._start_ms = start_ms
        self._seen = set[tuple[Any, ...]]()

    def poll(self) -> list[str]:
        """Return the new messages in the order of their times, Lambda's own among them.

        Raises:
            LocalCloudError: the engine doesn't answer.
        """
        events = [event for name in self._names for event in _events(self._client, name, self._start_ms)]
        events.sort(key=lambda event: event["timestamp"])
        keyed = list(_keyed(events))
        new = [str(event["message"]).rstrip("\n") for key, event in keyed if key not in self._seen]
        # The next poll begins with the newest time seen: of that instant there may be more to come.
        self._start_ms = max((event["timestamp"] for event in events), default=self._start_ms)
        self._seen = {key for key, event in keyed if event["timestamp"] == self._start_ms} or self._seen
        return new


def read(state: LocalState, *, since_s: float, follow: bool, platform: bool) -> Iterator[str]:
    """Yield log lines in the order of their times, from so many seconds ago; following, it never ends.

    `platform` adds Lambda's own START, END and REPORT lines.

    Raises:
        LocalCloudError: the engine doesn't answer.
    """
    with closing(cloud.client("logs", state.endpoint_url)) as client:
        follower = LogFollower(client, groups(state), int((time.time() - since_s) * 1000))
        while True:
            for message in follower.poll():
                if platform or not message.startswith(_PLATFORM):
                    yield _readable(message)
            if not follow:
                return
            time.sleep(_POLL_S)


def _events(client: cloud.Client, group: str, start: int) -> list[dict[str, Any]]:
    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start)
        return [{**event, "group": group} for page in pages for event in page["events"]]
    except client.exceptions.ResourceNotFoundException:
        return []  # the group comes with the first invocation
    except (BotoCoreError, ClientError) as error:
        raise LocalCloudError(
            f"The engine's log service does not answer ({error}). `make status` shows what runs."
        ) from error


def _readable(line: str) -> str:
    """Leave out what a line counts for CloudWatch: here nobody takes metrics out of it, and it is half of the line."""
    if '"_aws":' not in line:
        return line
    try:
        said = json.loads(line)
        directives = said.pop("_aws")["CloudWatchMetrics"]
        counts = {metric["Name"] for told in directives for metric in told["Metrics"] if metric["Unit"] == "Count"}
    except (ValueError, LookupError, TypeError, AttributeError):  # somebody else's line
        return line
    kept = {name: value for name, value in said.items() if name not in counts}
    return json.dumps(kept, separators=(",", ":"))


def _keyed(events: list[dict[str, Any]]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Name each event. MiniStack gives no eventId, but every invocation has a stream of its own there."""
    repeats: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        line = (event.get("eventId"), event["group"], event["logStreamName"], event["timestamp"], event["message"])
        repeats[line] += 1
        yield (*line, repeats[line]), event
