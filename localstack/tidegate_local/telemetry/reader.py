"""Reads the functions' lines from the engine's CloudWatch Logs, as they come."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tidegate_local import cloud
from tidegate_local.state import LocalState
from tidegate_local.telemetry import logs
from tidegate_local.telemetry.lines import Line, parse


class LineReader:
    """The lines of requests and of stores that changed, each of them once."""

    def __init__(self, follower: logs.LogFollower) -> None:
        self._follower = follower

    @classmethod
    @contextmanager
    def opened(cls, state: LocalState, since_s: float = 0.0) -> Iterator["LineReader"]:
        """Read the functions' logs from so many seconds ago on, during the block."""
        with closing(cloud.client("logs", state.endpoint_url)) as client:
            yield cls(logs.LogFollower(client, logs.groups(state), int((time.time() - since_s) * 1000)))

    def poll(self) -> list[Line]:
        """Return what has come since the last time, in the order of its times.

        Raises:
            LocalCloudError: the engine doesn't answer.
        """
        return [line for message in self._follower.poll() if (line := parse(message))]
