"""What the page shows: a cloud that comes, goes and is another, as one value that JSON can carry."""

import time
from dataclasses import asdict
from threading import Lock
from typing import Any

from tidegate_local.console.actions import Actions
from tidegate_local.console.gauge import Gauge
from tidegate_local.console.instruments import RECENT_S, SPAN_S, Instruments
from tidegate_local.errors import StateError
from tidegate_local.layout import StateFolder
from tidegate_local.state import LocalState

# Several pages look at the same value.
_FRESH_S = 0.3
_DOWN = "The cloud is down. Start it with `make up`: this page comes alive by itself."


class Watch:
    """Looks at a state folder's cloud; close it at the end."""

    def __init__(self, folder: StateFolder, actions: Actions) -> None:
        self._folder = folder
        self._actions = actions
        self._instruments: Instruments | None = None
        self._lock = Lock()
        self._seen: dict[str, Any] = {}
        self._seen_at = float("-inf")

    def snapshot(self) -> dict[str, Any]:
        """Return everything as it is now; at most a moment old."""
        with self._lock:
            if time.monotonic() - self._seen_at > _FRESH_S:
                self._seen, self._seen_at = self._look(), time.monotonic()
            return self._seen

    def close(self) -> None:
        """Look no more."""
        if self._instruments:
            self._instruments.close()

    def _look(self) -> dict[str, Any]:
        at_s = time.time()
        told = {"at_s": at_s, "span_s": SPAN_S, "recent_s": RECENT_S, "actions": self._actions.told()}
        try:
            state = LocalState.read(self._folder.state_file)
        except StateError as error:
            self._follow(None)
            return {**told, "cloud": {"up": False, "why": str(error)}}
        instruments = self._follow(state)
        if state is None or instruments is None:
            return {**told, "cloud": {"up": False, "why": _DOWN}}
        return {**told, "cloud": _cloud(state, instruments), **_read(instruments, at_s)}

    def _follow(self, state: LocalState | None) -> Instruments | None:
        """Return the instruments of that cloud; those of another one are put away."""
        now = self._instruments
        if now and (state is None or _identity(now.state) != _identity(state)):
            now.close()
            now = None
        if state and now is None:
            now = Instruments(state)
        self._instruments = now
        return now


def _identity(state: LocalState) -> tuple[str, ...]:
    """What makes another cloud of it. A deploy doesn't."""
    return (state.endpoint_url, state.api_url, state.redis_url, *sorted(state.outputs.values()))


def _cloud(state: LocalState, instruments: Instruments) -> dict[str, Any]:
    silent = instruments.lines.error
    return {
        "up": silent is None,
        "why": f"The engine does not answer. `make status` says more, `make up` starts it again. ({silent})"
        if silent
        else None,
        "engine": f"{'LocalStack' if state.software == 'localstack' else 'MiniStack'} "
        f"{state.versions.get('engine', '')}".strip(),
        "redis": state.versions.get("redis", "redis"),
        "api_url": state.api_url,
    }


def _read(instruments: Instruments, at_s: float) -> dict[str, Any]:
    gauges: dict[str, Gauge[Any]] = {
        "redis": instruments.redis,
        "health": instruments.health,
        "queue": instruments.queue,
        "weights": instruments.weights,
    }
    values = {name: None if gauge.value is None else asdict(gauge.value) for name, gauge in gauges.items()}
    return {
        **values,
        "traffic": asdict(instruments.traffic(at_s)),
        "oldest_s": instruments.oldest_s(at_s),
        "errors": {name: gauge.error for name, gauge in gauges.items() if gauge.error},
    }
